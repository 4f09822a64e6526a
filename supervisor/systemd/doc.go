// Package systemd speaks sd_notify(3) and takes descriptors from the service manager (sd_listen_fds(3)): readiness, status, the
// watchdog, the main pid, and the descriptor store. It runs in the supervisor and holds one unconnected datagram socket.
// Nothing here fails loudly: without a service manager every call does nothing.
package systemd
