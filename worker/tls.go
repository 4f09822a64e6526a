package worker

import (
	"crypto/tls"
	"slices"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/ipc"
	"pingap/worker/certs"
	"pingap/worker/challenge"
	h2 "pingap/worker/http2/server"
	"pingap/worker/proxy"
	"pingap/worker/route"
)

// security is what handshakes of all sites share. Any goroutine may use it.
type security struct {
	certificates *certs.Live
	tickets      *certs.Tickets
	challenge    func(name string) *tls.Certificate
}

// newSecurity begins without certificates, and listens to what the worker is told beside the configuration.
func (w *worker) newSecurity() security {
	s := security{certificates: &certs.Live{Log: w.log.Named("tls")}, tickets: certs.NewTickets(), challenge: w.beside.book.ALPN}
	w.beside.onTickets = func(keys [][]byte) {
		if err := s.tickets.SetKeys(keys); err != nil {
			w.log.Error("ticket keys not taken", zap.Error(err))
		}
	}
	var before map[string]challenge.Issued // of the loop
	w.beside.onIssued = func(all map[string]challenge.Issued) {
		s.take(w.log, before, all)
		before = all
	}
	return s
}

// take makes issued certificates those in use, in place of those before.
func (s security) take(log *zap.Logger, before, all map[string]challenge.Issued) {
	items := make(map[string]certs.Issued, len(all))
	for name, i := range all {
		items[name] = certs.Issued{Certificate: i.Chain, Key: i.PrivateKey}
	}
	if err := s.certificates.Issue(items); err != nil {
		log.Error("issued certificates not taken", zap.Error(err))
	}
	var gone []string
	for name := range before {
		if _, still := all[name]; !still {
			gone = append(gone, name)
		}
	}
	s.certificates.Withdraw(gone...)
}

// addCertificates reads the certificates of the configuration.
func (w *work) addCertificates() error {
	var err error
	if w.certificates, err = certs.NewSet(w.snapshot, w.live.certificates, w.pace.Step); err != nil {
		return refuse(ipc.CodeInvalid, "certificates", err)
	}
	return nil
}

// takeProtocols takes over what addProtocols made for the same configuration.
func (s *server) takeProtocols(old *proxy.Server) {
	s.HTTP2, s.H2C, s.GRPCWeb = old.HTTP2, old.H2C, old.GRPCWeb
	s.ProxyProtocol, s.TLS, s.HandshakeTimeout = old.ProxyProtocol, old.TLS, old.HandshakeTimeout
}

// addProtocols adds to a server what it speaks beyond HTTP/1 in the clear, and what comes in front of that.
func (w *work) addProtocols(s *proxy.Server, cfg *config.Server) error {
	if cfg.EnabledH2 {
		s.HTTP2 = h2.NewEngine(h2.Options{
			MaxStreams: cfg.H2MaxStreams, StreamWindow: int(cfg.H2Window), HeadSize: int(cfg.HeaderMaxSize), HeadFields: cfg.HeaderMaxFields,
			TargetSize: int(cfg.TargetMaxLength), SendTimeout: s.WriteTimeout,
		})
		s.H2C = !cfg.GlobalCertificates
	}
	s.GRPCWeb = slices.Contains(cfg.Modules, "grpc-web")
	path := "servers." + cfg.Name
	if cfg.ProxyProtocol != "off" {
		trusted, err := route.NewTrusted(cfg.ProxyProtocolTrusted)
		if err != nil {
			return refuse(ipc.CodeInvalid, path+".proxy_protocol_trusted", err)
		}
		s.ProxyProtocol = &proxy.ProxyProtocol{Required: cfg.ProxyProtocol == "require", Trusts: trusted.Contains}
	}
	if !cfg.GlobalCertificates {
		return nil
	}
	var err error
	s.HandshakeTimeout = cfg.TLSHandshakeTimeout.Std()
	s.TLS, err = certs.Config(cfg, certs.Options{Certificates: w.security.certificates, Tickets: w.security.tickets, Challenge: w.security.challenge})
	if err != nil {
		return refuse(ipc.CodeInvalid, path, err)
	}
	return nil
}
