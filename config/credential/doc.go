// Package credential reads what a configuration says of those who may use the admin interface: users with a password or its argon2id hash, and
// tokens. It runs in control, which checks them against what people send (control/admin/auth), and in workers, which only want to know that
// they can be read. It owns nothing, computes no hash, and none of its messages holds what it read.
package credential
