# The Debian packages that Shardgate needs, and how to install those that are missing. Sourced by ./up and ./check.
# shellcheck shell=bash disable=SC2034 # the lists are used by who sources this

PACKAGES_RUN=(lighttpd curl ca-certificates tdsodbc)
PACKAGES_BUILD=(
  build-essential autoconf automake autoconf-archive pkg-config
  libfcgi-dev libjson-c-dev libcurl4-openssl-dev unixodbc-dev libsqlite3-dev libssl-dev nettle-dev libutf8proc-dev libgmp-dev libcmocka-dev
  "${PACKAGES_RUN[@]}"
)
PACKAGES_CHECK=(
  python3 python3-pymssql python3-tds python3-openssl freetds-bin unixodbc libjtds-java default-jdk-headless
  sqlite3 valgrind shellcheck
)
# For `make bench`; no test needs them.
PACKAGES_BENCH=(wrk strace gnuplot-nox)

# Prints which of the packages $@ are not installed.
packages_missing() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
  done
}

# Installs those of the packages $@ that are missing. Debian starts the lighttpd service when its package is installed;
# Shardgate runs lighttpd itself, so a policy-rc.d forbids that for as long as the installation runs.
packages_install() {
  local missing as_root=() policy=/usr/sbin/policy-rc.d status=0
  mapfile -t missing < <(packages_missing "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    printf 'these packages are missing, and there is no apt-get here: %s\n' "${missing[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      printf 'these packages are missing: install them as root (there is no sudo here): apt-get install %s\n' "${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  printf '  installing with apt-get: %s\n' "${missing[*]}"
  # A subshell, so that the policy goes away however this ends.
  (
    if [ ! -e "$policy" ]; then
      trap '"${as_root[@]}" rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
      "${as_root[@]}" chmod 755 "$policy"
    fi
    "${as_root[@]}" apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
  ) || status=1
  mapfile -t missing < <(packages_missing "$@")
  if [ "${#missing[@]}" -gt 0 ]; then
    printf 'apt-get could not install: %s\n' "${missing[*]}" >&2
    return 1
  fi
  return "$status"
}
