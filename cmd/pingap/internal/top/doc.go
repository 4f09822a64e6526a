// Package top is the screen of pingap top: tables of what is going on, which follow the keys of whoever looks.
//
// It runs in the process of the command line. Frame makes the text of a screen of what is known and what was asked for, and knows no terminal; Run
// has the terminal, draws a frame whenever something changes, and gives the terminal back as it was. Texts that come from a
// configuration are made safe for a terminal first.
package top
