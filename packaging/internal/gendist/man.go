package main

import (
	"strings"

	"pingap/config"
)

// programPage is pingap(8).
func programPage(p program, date string) string {
	m := newPage("pingap", 8, date, p.Version, "reverse proxy")
	m.section("SYNOPSIS")
	m.b.WriteString(`.B pingap \-c
.IR PATH " [" flags ]
.br
.B pingap \-c
.I PATH
.B \-t
.br
.B pingap \-\-upstream
.IR LIST " [" \fB\-\-addr\fP " LIST]"
.br
.B pingap
.IR COMMAND " [" flags ]
`)
	m.section("DESCRIPTION")
	m.text(`pingap serves HTTP by a configuration in TOML. A supervisor holds the listening sockets; the processes that it starts read the
configuration and serve traffic, and are replaced without losing a request.

Without a command pingap serves in the foreground; with one it speaks to the instance that runs.`)
	m.section("OPTIONS")
	for _, f := range p.Flags {
		m.flag(f)
	}
	m.section("COMMANDS")
	m.text("All commands take --run-dir, too.")
	for _, c := range p.Commands {
		usage, text, _ := strings.Cut(c.Help, "\n\n")
		m.subsection("pingap " + c.Name)
		m.bold(strings.TrimSpace(strings.TrimPrefix(usage, "Usage:")))
		m.paragraph()
		m.text(text)
		for _, f := range c.Flags {
			if f.Long != "help" && f.Long != "run-dir" {
				m.flag(f)
			}
		}
	}
	m.section("EXIT STATUS")
	m.text(strings.TrimPrefix(p.Exit, "Exit codes: "))
	m.section("ENVIRONMENT")
	m.text("Flags win over variables. A variable that stands for a switch turns it on when it is not empty.")
	for _, f := range p.Flags {
		if f.Env != "" {
			m.entry(`.B ` + roff(f.Env))
			m.line("--" + f.Long)
		}
	}
	m.files()
	m.section("SEE ALSO")
	m.b.WriteString(".BR pingap.toml (5),\n.BR systemctl (1),\n.BR logrotate (8)\n")
	return m.String()
}

func (p *page) files() {
	p.section("FILES")
	for _, f := range [][2]string{
		{"/etc/pingap/pingap.toml", "configuration of the service"},
		{"/run/pingap", "run directory: control socket, socket of the admin interface, and process id"},
		{"/var/lib/pingap", "what outlasts a reboot"},
		{"/var/log/pingap", "access logs of the packaged configuration"},
	} {
		p.entry(`.I ` + roff(f[0]))
		p.line(f[1])
	}
}

func (p *page) flag(f option) {
	heading := `\-\-` + roff(f.Long)
	if f.Short != "" {
		heading = `\-` + f.Short + `, ` + heading
	}
	heading = `\fB` + heading + `\fP`
	if f.Value != "" {
		heading += ` \fI` + roff(f.Value) + `\fP`
	}
	p.entry(heading)
	p.line(f.Help)
	if f.Env != "" {
		p.line("Variable " + f.Env + ".")
	}
}

// configPage is pingap.toml(5).
func configPage(version, date string) string {
	m := newPage("pingap.toml", 5, date, version, "configuration of pingap")
	m.section("DESCRIPTION")
	m.text(`A configuration is TOML: one file, or a directory whose .toml files are read together. [basic] exists once, every other table once
per name, as in [servers.web].

pingap -t -c FILE checks a configuration and prints every mistake with file, line and key. Unknown keys warn; with --strict they are
errors. pingap reload applies a change.

Durations are texts such as "10s", "1m 30s", "500ms"; sizes are bytes as a number or texts such as "64kib" (1024) and "10mb" (1000).`)
	m.section("EXAMPLE")
	m.example(`[upstreams.app]
addrs = ["127.0.0.1:8080", "127.0.0.1:8081"]

[locations.app]
path = "/"
upstream = "app"

[servers.web]
addr = "0.0.0.0:80"
locations = ["app"]`)
	m.section("KEYS")
	m.text(`Each key names its type, default and limits, and what a change of it needs: hot is swapped inside the running workers, listeners
opens or closes sockets first, roll starts fresh workers.`)
	for _, table := range config.Tables() {
		name := table.Name + ".NAME"
		if table.Name == "basic" {
			name = "basic"
		}
		m.subsection("[" + name + "]")
		m.text(table.Help)
		for i := range table.Keys {
			m.key(&table.Keys[i])
		}
	}
	m.section("FILES")
	m.entry(`.I ` + roff("/etc/pingap/pingap.toml"))
	m.line("what the packaged service reads")
	m.section("SEE ALSO")
	m.b.WriteString(".BR pingap (8)\n")
	return m.String()
}

func (p *page) key(k *config.Key) {
	facts := []string{k.Type}
	switch {
	case k.Required:
		facts = append(facts, "required")
	case k.Default != "" && k.Default != "-1": // -1 stands for computed
		facts = append(facts, "default "+k.Default)
	}
	if len(k.Enum) > 0 {
		facts = append(facts, "one of "+strings.Join(k.Enum, ", "))
	}
	if low, high, ok := strings.Cut(k.Range, ".."); ok {
		if low != "" {
			facts = append(facts, "at least "+low)
		}
		if high != "" {
			facts = append(facts, "at most "+high)
		}
	}
	if k.Unit != "" {
		facts = append(facts, k.Unit)
	}
	if k.Class != config.Same {
		facts = append(facts, k.Class.String())
	}
	p.entry(`\fB` + roff(k.Name) + `\fP (` + roff(strings.Join(facts, "; ")) + `)`)
	p.line(k.Help)
	if k.Later != "" {
		p.line("Not yet in effect: " + k.Later + ".")
	}
}
