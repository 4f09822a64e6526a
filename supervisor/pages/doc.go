// Package pages gives memory back that a process has touched and does not need: the pages of its executable. One binary is all of
// pingap, and what a start touches of it counts as memory of the supervisor for as long as it lives, though it uses little of it afterwards.
//
// It reads /proc/self and changes nothing but what is resident: a page that is needed again comes back from the kernel's cache.
package pages
