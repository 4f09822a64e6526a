// Package budget counts what was asked of a CA, and says when more may be asked. It is used by package acme in the control
// process, has no clock and no files of its own, and is not safe for concurrent use.
//
// CAs refuse those who ask too often, for hours or for a week, and a refusal of that kind hits all certificates of an
// account or a domain. So the budget stops a little before: it knows the limits of Let's Encrypt, which are the strictest
// in wide use. Other CAs get those that any CA has a right to; how many certificates they give is between them and their users.
package budget
