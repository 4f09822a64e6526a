// Command probe prints in which order goroutines run whose sockets became ready as 0, 1, 2 and so on.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const sockets = 8

func main() {
	runtime.GOMAXPROCS(1)
	order := make(chan int, sockets)
	var ends [sockets]int
	for i := range ends {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		ends[i] = pair[1]
		go func() {
			if _, err := os.NewFile(uintptr(pair[0]), "socket").Read(make([]byte, 1)); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			order <- i
		}()
	}
	time.Sleep(50 * time.Millisecond) // all of them wait now
	b := []byte{1}
	for _, end := range ends { // raw: no other goroutine gets the thread in between
		if _, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(end), uintptr(unsafe.Pointer(&b[0])), 1); errno != 0 {
			fmt.Println(errno)
			os.Exit(1)
		}
	}
	for i := range sockets {
		if i > 0 {
			fmt.Print(" ")
		}
		fmt.Print(<-order)
	}
	fmt.Println()
}
