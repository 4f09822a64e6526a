#!/bin/sh
# install.sh install|uninstall ROOT BINARY DOCUMENTS - puts the files of pingap under ROOT ("" is the system itself), or takes them away.
# BINARY is the program, DOCUMENTS the folder that gendist has written. An existing configuration is left alone, by both.
set -eu
[ $# -eq 4 ] || { echo "usage: $0 install|uninstall ROOT BINARY DOCUMENTS" >&2; exit 2; }
verb=$1 root=$2 binary=$3 documents=$4
here=$(dirname "$0")

# put SOURCE DESTINATION MODE
put() {
	if [ "$verb" = uninstall ]; then
		rm -f "$root$2"
		return
	fi
	install -D -m "$3" "$1" "$root$2"
	case $2 in
	*.5 | *.8) gzip -9nf "$root$2" ;;
	esac
}

put "$binary" /usr/bin/pingap 0755
put "$here/files/reap" /usr/libexec/pingap/reap 0755
put "$here/../systemd/pingap.service" /usr/lib/systemd/system/pingap.service 0644
put "$here/../systemd/pingap.socket" /usr/lib/systemd/system/pingap.socket 0644
put "$here/files/pingap.sysusers" /usr/lib/sysusers.d/pingap.conf 0644
put "$here/files/pingap.tmpfiles" /usr/lib/tmpfiles.d/pingap.conf 0644
put "$documents/bash-completion/completions/pingap" /usr/share/bash-completion/completions/pingap 0644
put "$documents/fish/vendor_completions.d/pingap.fish" /usr/share/fish/vendor_completions.d/pingap.fish 0644
put "$documents/zsh/vendor-completions/_pingap" /usr/share/zsh/vendor-completions/_pingap 0644
put "$here/monitoring/dashboard.json" /usr/share/pingap/dashboard.json 0644
put "$here/monitoring/alerts.yaml" /usr/share/pingap/alerts.yaml 0644
put "$here/copyright" /usr/share/doc/pingap/copyright 0644
if [ "$verb" = install ]; then
	put "$documents/man/man8/pingap.8" /usr/share/man/man8/pingap.8 0644
	put "$documents/man/man5/pingap.toml.5" /usr/share/man/man5/pingap.toml.5 0644
	[ -e "$root/etc/pingap/pingap.toml" ] || put "$here/files/pingap.toml" /etc/pingap/pingap.toml 0644
	[ -e "$root/etc/logrotate.d/pingap" ] || put "$here/files/pingap.logrotate" /etc/logrotate.d/pingap 0644
	exit
fi
rm -f "$root/usr/share/man/man8/pingap.8.gz" "$root/usr/share/man/man5/pingap.toml.5.gz"
for folder in /usr/libexec/pingap /usr/share/pingap /usr/share/doc/pingap; do
	[ ! -d "$root$folder" ] || rmdir "$root$folder"
done
