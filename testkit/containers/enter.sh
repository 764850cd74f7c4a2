#!/bin/sh
# Becomes the container engine in namespaces that are this process's own: enter.sh ROOT CHECKOUT ENGINES ARGUMENT...
# In ROOT, which becomes /, the checkout stands in /srv/checkout and the engines' jars in /srv/engines; neither can be
# written to.
set -eu
root=$1 checkout=$2 engines=$3
shift 3

mount --make-rprivate /
mount --bind "$root" "$root" # the engine has to find a mount at /
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p srv/checkout srv/engines
mount --bind "$checkout" srv/checkout
mount -o remount,bind,ro srv/checkout
mount --bind "$engines" srv/engines
mount -o remount,bind,ro srv/engines
[ ! -e /etc/resolv.conf ] || cat /etc/resolv.conf >etc/resolv.conf
# Of what an earlier engine left, images are kept; containers would be started again.
rm -rf var/lib/docker/containers var/lib/docker/network var/lib/docker/volumes
pivot_root . mnt
cd /
umount -l /mnt
ip link set lo up
exec tini -- dockerd "$@"
