package config

// check judges the values of the decoded objects and the names they refer to.
func (l *loader) check() {}
