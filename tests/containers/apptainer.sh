#!/usr/bin/env bash
# A Debian with Apptainer and Java in a folder, for systems that have no Apptainer. As root:
#
#   tests/containers/apptainer.sh make FOLDER [MIRROR]   make it with debootstrap (800 MB, two minutes)
#   tests/containers/apptainer.sh run FOLDER COMMAND     run a command in it, as user 12345 without any privilege
#
# MIRROR is a mirror of Debian; debootstrap has a default. The tests marked `apptainer` use the folder that
# HISTPRED_APPTAINER names:
#
#   HISTPRED_APPTAINER=FOLDER bin/test -m apptainer
set -euo pipefail
user=12345

make() {
    # Debian's stable releases have no Apptainer. Nextflow 25.04 cannot run on sid's newest Java.
    debootstrap --variant=minbase \
        --include=apptainer,ca-certificates,fuse3,openjdk-21-jre-headless,procps,squashfuse sid "$@"
    chroot "$1" useradd --uid "$user" --create-home someone
    echo 127.0.0.1 localhost >"$1/etc/hosts" # Apptainer shows it to containers
    mknod -m 666 "$1/fuse" c 10 229
}

# The command sees the machine's own files, with the folder's system in place of the machine's. Apptainer would refuse a
# chroot, and root without all capabilities.
run() {
    exec unshare --mount --pid --fork --mount-proc --propagation private bash -euc '
        root=$1 user=$2
        shift 2
        mount --bind "$root/fuse" /dev/fuse
        for part in etc home var usr; do mount --bind "$root/$part" "/$part"; done
        exec setpriv --reuid "$user" --regid "$user" --clear-groups env -i \
            HOME=/home/someone LC_ALL=C.UTF-8 PATH=/usr/bin "$@"' bash "$(realpath "$1")" "$user" "${@:2}"
}

case ${1:-} in
    make | run) "$@" ;;
    *) sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2 ;;
esac
