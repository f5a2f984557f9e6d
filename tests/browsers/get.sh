#!/bin/sh
# What the tests in this folder open in Chromium, from npm's registry to packages/ beside this script: igv.js and
# JBrowse 2, each the one file that a page needs. They are not part of histpred.
set -eu
cd "$(dirname "$0")"
mkdir -p packages
cd packages

get() { # package@version, file
    tarball=$(npm pack --silent "$1")
    tar -xzf "$tarball" --strip-components=2 "package/dist/$2"
    rm "$tarball"
}

get igv@3.8.10 igv.min.js
get @jbrowse/react-app2@4.3.0 react-app.umd.production.min.js
