#!/bin/sh
# Makes the passwords of compose.yaml where there are none yet, and the users of ClickHouse from them.
#
#   passwords.sh DIRECTORY
#
# Each folder in DIRECTORY is a volume that only its reader mounts, so its files may be read by all.
set -eu

base=$1
umask 022

# Puts standard input where it belongs, all of it or nothing.
put() {
    cat >"$1.new"
    chmod 0444 "$1.new"
    mv "$1.new" "$1"
}

# 256 bits in hexadecimal, where there is no password yet.
password() {
    [ -s "$1" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' | put "$1"
}

# What ClickHouse compares a password with.
hash() {
    tr -d '\n' <"$1" | sha256sum | cut -d ' ' -f 1
}

password "$base/habitus/clickhouse_password"
password "$base/grafana/clickhouse_password"
password "$base/grafana/admin_password"

put "$base/clickhouse/habitus.xml" <<EOF
<clickhouse>
  <profiles>
    <habitus_reader>
      <readonly>2</readonly>
      <max_execution_time>30</max_execution_time>
      <max_result_rows>1000000</max_result_rows>
      <max_memory_usage>500000000</max_memory_usage>
      <constraints>
        <max_execution_time><max>120</max></max_execution_time>
        <max_result_rows><max>1000000</max></max_result_rows>
        <max_memory_usage><max>500000000</max></max_memory_usage>
      </constraints>
    </habitus_reader>
  </profiles>
  <users>
    <default remove="remove"/>
    <habitus>
      <password_sha256_hex>$(hash "$base/habitus/clickhouse_password")</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT ALL ON habitus.*</query></grants>
    </habitus>
    <grafana>
      <password_sha256_hex>$(hash "$base/grafana/clickhouse_password")</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>habitus_reader</profile>
      <quota>default</quota>
      <grants><query>GRANT SELECT ON habitus.*</query></grants>
    </grafana>
  </users>
</clickhouse>
EOF
