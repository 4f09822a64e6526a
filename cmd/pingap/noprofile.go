//go:build !profile

package main

// startProfile does nothing: see profile.go.
func startProfile() (stop func()) { return func() {} }
