package main

import (
	"bytes"
	"debug/elf"
)

// buildID names the running image: the id that the Go linker puts into each
// build. Empty when the image cannot be read.
func buildID() string {
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		return ""
	}
	defer file.Close()
	section := file.Section(".note.go.buildid")
	if section == nil {
		return ""
	}
	data, err := section.Data()
	if err != nil || len(data) < 16 {
		return ""
	}
	// An ELF note: three sizes of 4 bytes, the name "Go\0\0", the id.
	return string(bytes.TrimRight(data[16:], "\x00"))
}
