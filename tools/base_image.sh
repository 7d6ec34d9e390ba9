#!/bin/sh
# Make the image `background-blur-base` from Debian packages, for machines without access to a
# container registry. This needs root, debootstrap and a running Docker daemon, and takes about a
# minute. Build the function on top of it with
#     sam build --parameter-overrides BaseImage=background-blur-base
set -eu
cd "$(dirname "$0")/.."
suite=trixie # has Python 3.13, like AWS's base image

root=$(mktemp -d)
trap 'trap "" INT TERM; rm -rf "$root"' EXIT # a second signal must not interrupt rm
trap 'exit 130' INT TERM
chmod 755 "$root"
debootstrap --variant=minbase --include=python3,python3-pip,ca-certificates "$suite" "$root"
# The package index might be reachable only with certificates that were added to this machine.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/usr/share/doc/*
tar -C "$root" -c . | docker import - background-blur-rootfs
DOCKER_BUILDKIT=0 docker build --tag background-blur-base --file tools/base_image.Dockerfile .
