#!/usr/bin/env bash
# A Debian with Apptainer, Slurm and Java in a folder, for systems that have no Apptainer. As root:
#
#   tests/containers/apptainer.sh make FOLDER [MIRROR]     make it with debootstrap (900 MB, two minutes)
#   tests/containers/apptainer.sh run FOLDER COMMAND       run a command in it, as user 12345 without any privilege
#   tests/containers/apptainer.sh cluster FOLDER COMMAND   the same beside a Slurm of one node with the partition "main"
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
        --include=apptainer,ca-certificates,fuse3,munge,openjdk-21-jre-headless,procps,slurm-wlm,squashfuse sid "$@"
    chroot "$1" useradd --uid "$user" --create-home someone
    echo 127.0.0.1 localhost >"$1/etc/hosts" # Apptainer shows it to containers
    mknod -m 666 "$1/fuse" c 10 229
}

# A command sees the machine's own files, with the folder's system in place of the machine's. Apptainer would refuse a
# chroot, and root without all capabilities. What PREPARE starts as root ends with the command.
#
# inside FOLDER PREPARE COMMAND
inside() {
    exec unshare --mount --pid --fork --mount-proc --propagation private bash -euc '
        root=$1 user=$2 prepare=$3
        shift 3
        mount --bind "$root/fuse" /dev/fuse
        for part in etc home var usr; do mount --bind "$root/$part" "/$part"; done
        eval "$prepare"
        setpriv --reuid "$user" --regid "$user" --clear-groups env -i \
            HOME=/home/someone LC_ALL=C.UTF-8 PATH=/usr/bin "$@"' bash "$(realpath "$1")" "$user" "${@:2}"
}

run() { inside "$1" : "${@:2}"; }

cluster() { inside "$1" slurm "${@:2}"; }

# Slurm with one node, this machine. Its ports are not the usual ones, so that another Slurm may run beside it.
slurm() {
    install -d /run/munge
    mount -t tmpfs none /run/munge
    chown munge: /run/munge
    runuser -u munge -- munged --force
    install -d /var/lib/histpred-slurm
    cat >/etc/slurm/slurm.conf <<END
ClusterName=local
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
StateSaveLocation=/var/lib/histpred-slurm
SlurmdSpoolDir=/var/lib/histpred-slurm
SlurmctldPidFile=/run/munge/slurmctld.pid
SlurmdPidFile=/run/munge/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
NodeName=node NodeHostname=$(hostname) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(free -m | awk '/Mem/{print $2 - 1024}')
PartitionName=main Nodes=ALL Default=YES State=UP
END
    slurmctld
    slurmd -N node
}
export -f slurm

case ${1:-} in
    make | run | cluster) "$@" ;;
    *) sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2 ;;
esac
