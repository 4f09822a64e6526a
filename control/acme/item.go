package acme

import (
	"context"
	"fmt"
	"time"
)

// Kind says what an Item is.
type Kind uint8

const (
	// Token is an answer to http-01: Name is the token, KeyAuth the body.
	Token Kind = iota + 1
	// ALPN is a certificate that answers tls-alpn-01: Name is the domain, Chain and Key are PEM.
	ALPN
	// Certificate is an issued certificate: Name is its name in the configuration, Domains what it is for, Chain and
	// Key are PEM.
	Certificate
)

// String is the kind as a word.
func (k Kind) String() string {
	switch k {
	case Token:
		return "token"
	case ALPN:
		return "alpn_certificate"
	case Certificate:
		return "certificate"
	}
	return "unknown"
}

// Item is something that every worker must have. Kind and Name identify it.
type Item struct {
	Kind    Kind
	Name    string
	Domains []string
	KeyAuth string
	Chain   []byte
	Key     []byte // secret
	Expires time.Time
}

// String shows nothing secret.
func (i Item) String() string { return fmt.Sprintf("%s %s", i.Kind, i.Name) }

// GoString is String: no way of printing shows the key.
func (i Item) GoString() string { return i.String() }

// Publisher brings items to all workers. Both methods return when every active worker has acted, or ctx has ended.
type Publisher interface {
	Publish(ctx context.Context, items ...Item) error
	Withdraw(ctx context.Context, items ...Item) error
}
