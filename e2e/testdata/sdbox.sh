#!/bin/bash
# sdbox.sh start|run CMD...|stop - a real systemd, process 1 of namespaces of its own, on a throw-away layer over a Debian tree.
#
#   SDBOX       folder of this box (/var/tmp/sdbox): its layer, its log, its process id
#   SDBOX_TREE  the tree below it ($SDBOX/tree), which no box changes; made once, by debootstrap, which needs the network
#   SDBOX_ARGS  more arguments of systemd-nspawn, such as --private-network or --bind-ro=DIR; without the former it has the network
#               of the machine, so that a port of a service inside is reachable from outside
#
# Needs root, systemd-nspawn and debootstrap (Debian: systemd-container, debootstrap).
set -u
box=${SDBOX:-/var/tmp/sdbox}
tree=${SDBOX_TREE:-$box/tree}
packages=systemd,systemd-sysv,dbus,curl,ca-certificates,iproute2,procps,logrotate,rpm

# make_tree builds beside and renames, so that one that was interrupted is not taken for whole.
make_tree() {
	mkdir -p "$(dirname "$tree")"
	exec 9>"$tree.lock"
	flock 9
	[ -d "$tree" ] && return
	rm -rf "$tree.new"
	debootstrap --variant=minbase --include="$packages" bookworm "$tree.new" >"$tree.log" 2>&1 || { tail -n 20 "$tree.log" >&2; return 1; }
	mv "$tree.new" "$tree"
}

# init prints the process id of the box's systemd.
init() {
	local child
	[ -r "$box/pid" ] && child=$(pgrep -P "$(cat "$box/pid")" | head -n 1) && [ -n "$child" ] && echo "$child"
}

# inside runs a command in the box, as root, with a clean environment.
inside() {
	local pid
	pid=$(init) || { echo "sdbox: no box runs in $box" >&2; return 1; }
	nsenter -t "$pid" -m -u -i -n -p -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

start() {
	local state='' i
	make_tree || return 1
	exec 9>&-
	umount "$box/mnt" 2>/dev/null
	rm -rf "$box/upper" "$box/work"
	mkdir -p "$box/upper" "$box/work" "$box/mnt"
	mount -t overlay overlay -o "lowerdir=$tree,upperdir=$box/upper,workdir=$box/work" "$box/mnt" || return 1
	# shellcheck disable=SC2086
	setsid systemd-nspawn -q -D "$box/mnt" --boot --register=no --keep-unit --console=pipe --machine="sdbox-$$" ${SDBOX_ARGS:-} </dev/null >"$box/log" 2>&1 &
	echo $! >"$box/pid"
	for ((i = 0; i < 300; i++)); do
		state=$(inside systemctl is-system-running 2>/dev/null)
		case $state in running | degraded) echo "up ($state)"; return ;; esac
		sleep 0.1
	done
	echo "sdbox: not up: $state" >&2
	tail -n 20 "$box/log" >&2
	return 1
}

stop() {
	local pid i
	pid=$(cat "$box/pid" 2>/dev/null) || return 0
	inside systemctl poweroff >/dev/null 2>&1
	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null
	umount "$box/mnt" 2>/dev/null || umount -l "$box/mnt"
	rm -rf "$box/upper" "$box/work" "$box/pid"
	echo down
}

case ${1:-} in
start) start ;;
run) shift; inside "$@" ;;
stop) stop ;;
*) echo "usage: $0 start|run CMD...|stop" >&2; exit 2 ;;
esac
