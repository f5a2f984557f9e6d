#!/bin/sh
# What the tests in this folder open in Chromium, from npm's registry to packages/ beside this script: JBrowse 2 and
# axe-core (https://github.com/dequelabs/axe-core), each the one file that a page needs. igv.js is part of histpred.
set -eu
cd "$(dirname "$0")"
mkdir -p packages
cd packages

get() { # package@version, file in it
    tarball=$(npm pack --silent "$1")
    tar -xzOf "$tarball" "package/$2" >"${2##*/}"
    rm "$tarball"
}

get @jbrowse/react-app2@4.3.0 dist/react-app.umd.production.min.js
get axe-core@4.10.3 axe.min.js
