// Package adminaddr reads the value of --admin: who may log in, where the admin interface listens, and below which path. It runs in control, in the
// children of it that judge configurations, and on the command line. It owns nothing, and none of its messages holds what it read.
package adminaddr
