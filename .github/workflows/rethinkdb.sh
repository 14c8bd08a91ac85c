#!/usr/bin/env bash
# Installs RethinkDB on Ubuntu from the repository of its makers, for the tests.
set -euo pipefail
. /etc/os-release
version=2.4.4
ring=/usr/share/keyrings/rethinkdb.gpg
curl --fail --silent --show-error --retry 3 https://download.rethinkdb.com/repository/raw/pubkey.gpg | sudo gpg --dearmor --yes -o "$ring"
echo "deb [signed-by=$ring] https://download.rethinkdb.com/repository/ubuntu-$VERSION_CODENAME $VERSION_CODENAME main" |
  sudo tee /etc/apt/sources.list.d/rethinkdb.list
sudo apt-get update -qq
sudo apt-get install -y -qq --no-install-recommends "rethinkdb=$version*"
# The tests start servers of their own, on ports of their own.
sudo systemctl disable --now rethinkdb 2>/dev/null || true
rethinkdb --version | grep -F "$version"
