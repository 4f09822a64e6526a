package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], here()))
}

// here is the real surroundings.
func here() surroundings {
	return surroundings{name: os.Args[0], getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr, uid: os.Geteuid(), whole: true}
}
