package compression

import (
	"errors"

	"pingap/plugins"
)

// modeUpstream has responses compressed before they are stored.
const modeUpstream = "upstream"

const (
	maxMinLength = 1 << 30
	minMemory    = 1 << 20
	maxMemory    = 1 << 40
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "compression",
		Summary:  "Compresses response bodies with zstd, br or gzip, whichever the client likes most.",
		Params: []plugins.Param{
			{Name: "gzip_level", Type: plugins.Int, Default: int64(0), Max: 9, Help: "Level of gzip; 0 is off."},
			{Name: "br_level", Type: plugins.Int, Default: int64(0), Max: 11, Help: "Level of brotli; 0 is off, and 10 and 11 are for files that are compressed once, not for answers: they take seconds for a megabyte."},
			{Name: "zstd_level", Type: plugins.Int, Default: int64(0), Max: 22, Help: "Level of zstd; 0 is off, all from 10 on are the same."},
			{Name: "mode", Type: plugins.String, Enum: []string{modeUpstream}, Help: "upstream compresses what comes from the upstream, before a cache stores it; else what goes to the client is compressed."},
			{Name: "min_length", Type: plugins.Size, Default: int64(20), Help: "Bodies that say they are shorter pass as they are; 0 to 1gib."},
			{Name: "content_types", Type: plugins.Strings, Help: "Media types that are compressed, as text/html, text/* or application/*+json; without it texts, json, xml, javascript, wasm, fonts and pictures that are not packed."},
			{Name: "decompression", Type: plugins.Bool, Default: false, Help: "Decodes gzip, br and zstd bodies that the client cannot take."},
			{Name: "decompression_max_size", Type: plugins.Size, Default: "256mb", Help: "Most bytes of a decoded body; a longer one is cut off. 1mib to 1tib."},
			{Name: "decompression_max_ratio", Type: plugins.Int, Default: int64(200), Min: 10, Max: 100_000, Help: "Most bytes decoded of one byte, once a body has more than 1 MiB; one that exceeds it is cut off."},
			{Name: "max_memory", Type: plugins.Size, Default: "256mb", Help: "Most memory of all encoders and decoders in use; beyond it bodies pass as they are. 1mib to 1tib, for each worker."},
		},
		New: build,
	}
}

// compression is an instance.
type compression struct {
	offered   [codings]bool
	types     mediaTypes
	minLength int64
	upstream  bool // what comes from the upstream is compressed, not what goes to the client
	pools     [codings]pool
	decoders  *decoders // nil for none
	memory    budget
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	c := &compression{minLength: p.Size("min_length"), upstream: p.String("mode") == modeUpstream}
	c.memory.limit = p.Size("max_memory")
	for i, key := range [codings]string{zstdCoding: "zstd_level", brotliCoding: "br_level", gzipCoding: "gzip_level"} {
		if key == "" {
			continue
		}
		if level := int(p.Int(key)); level > 0 {
			c.offered[i] = true
			c.pools[i] = pool{coding: coding(i), level: level, cost: cost(coding(i), level), memory: &c.memory}
		}
	}
	names := usualTypes()
	if p.Has("content_types") {
		names = p.Strings("content_types")
	}
	var typesErr error
	c.types, typesErr = readMediaTypes("content_types", names)
	if p.Bool("decompression") {
		c.decoders = &decoders{maxSize: p.Size("decompression_max_size"), maxRatio: p.Int("decompression_max_ratio"), memory: &c.memory}
	}
	return c.placed(p.Step()), errors.Join(typesErr, c.check(p))
}

// check finds what the declarations of the parameters cannot say.
func (c *compression) check(p *plugins.Parameters) error {
	var problems []error
	if c.offered == [codings]bool{} && c.decoders == nil {
		problems = append(problems, plugins.Errorf("", "nothing to do: expected gzip_level, br_level or zstd_level above 0, or decompression"))
	}
	if c.minLength > maxMinLength {
		problems = append(problems, plugins.Errorf("min_length", "expected at most 1gib"))
	}
	for _, key := range []string{"max_memory", "decompression_max_size"} {
		if n := p.Size(key); n < minMemory || n > maxMemory {
			problems = append(problems, plugins.Errorf(key, "expected 1mib to 1tib"))
		}
	}
	if c.upstream && p.Step() == plugins.Response {
		problems = append(problems, plugins.Errorf("step", "mode upstream acts at upstream_response"))
	}
	return errors.Join(problems...)
}

// placed returns the plugin for its step: where it acts is told by the interfaces it has.
func (c *compression) placed(step plugins.Step) plugins.Plugin {
	if c.upstream || step == plugins.UpstreamResponse {
		c.upstream = true
		return upstreamSide{c}
	}
	return clientSide{c}
}

// clientSide acts on what goes to the client: responses of upstreams, stored ones, files.
type clientSide struct{ *compression }

// Response acts on heads without a body.
func (c clientSide) Response(e *plugins.Exchange) { c.notModified(e) }

// upstreamSide acts on what comes from the upstream.
type upstreamSide struct{ *compression }

// UpstreamResponse acts on heads without a body.
func (c upstreamSide) UpstreamResponse(e *plugins.Exchange) { c.notModified(e) }

// BodyStep tells that bodies are taken before they are stored.
func (c upstreamSide) BodyStep() plugins.Step { return plugins.UpstreamResponse }
