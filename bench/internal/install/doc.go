// Package install finds the programs that the bench compares with, and installs those that are missing where it may. It runs in the bench.
package install
