#!/usr/bin/env bash
# Programs beside Python that the full tests talk to: install them where that is possible, else name them.
set -euo pipefail
missing=()
for program in curl:curl wget:wget aria2c:aria2 rclone:rclone git:git make:make unshare:util-linux \
  relion_star_printtable:relion chromium:chromium chromedriver:chromium-driver; do
  PATH="$PATH:/usr/sbin" command -v "${program%%:*}" >/dev/null || missing+=("${program##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]}"
  # The service is not started: the tests run their own, on loopback.
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "the full tests need these packages, please install them: ${missing[*]}" >&2
  exit 1
fi
