// Package processes finds the processes of a program that the bench started. It is a part of the bench.
package processes
