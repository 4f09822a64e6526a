package subfilter

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// rule is one replacement.
type rule struct {
	text        []byte         // to find; nil with a regex
	regex       *regexp.Regexp // nil with a text
	replacement []byte         // a template with a regex
	groups      int            // most references to groups in the template
	all         bool           // not only the first
}

var errForm = errors.New("expected sub_filter 'text' 'replacement' or subs_filter 'regex' 'replacement', then g, i or nothing")

// parseRule reads "sub_filter 'text' 'replacement' [flags]". There is no way to write a quote inside.
func parseRule(line string) (rule, error) {
	kind, rest, _ := strings.Cut(line, "'")
	kind = strings.TrimSpace(kind)
	if kind != "sub_filter" && kind != "subs_filter" {
		return rule{}, errForm
	}
	pattern, rest, ok := quoted("'" + rest)
	if !ok {
		return rule{}, errForm
	}
	replacement, flags, ok := quoted(rest)
	if !ok {
		return rule{}, errForm
	}
	flags = strings.TrimSpace(flags)
	if strings.Trim(flags, "gi") != "" {
		return rule{}, errForm
	}
	r := rule{replacement: []byte(replacement), all: strings.Contains(flags, "g")}
	ignoreCase := strings.Contains(flags, "i")
	if kind == "sub_filter" {
		if ignoreCase {
			return rule{}, errors.New("the flag i needs subs_filter")
		}
		r.text = []byte(pattern)
		return r, nil
	}
	return r.withRegex(pattern, ignoreCase)
}

func (r rule) withRegex(pattern string, ignoreCase bool) (rule, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return rule{}, fmt.Errorf("regex: %w", err)
	}
	if ignoreCase {
		compiled = regexp.MustCompile("(?i:" + pattern + ")")
	}
	r.regex, r.groups = compiled, bytes.Count(r.replacement, []byte("$"))
	return r, nil
}

// quoted cuts a text in single quotes off the front; it must not be empty.
func quoted(text string) (inner, rest string, ok bool) {
	text, ok = strings.CutPrefix(strings.TrimSpace(text), "'")
	if !ok {
		return "", "", false
	}
	inner, rest, ok = strings.Cut(text, "'")
	return inner, rest, ok && inner != ""
}

// replace returns the body with the replacement made, which may be body itself; false if that would be longer than limit.
func (r *rule) replace(body []byte, limit int) ([]byte, bool) {
	switch {
	case r.regex == nil:
		return r.replaceText(body, limit)
	case r.all:
		return r.replaceAll(body, limit)
	}
	return r.replaceFirst(body, limit)
}

func (r *rule) replaceText(body []byte, limit int) ([]byte, bool) {
	count := 0
	if r.all {
		count = bytes.Count(body, r.text)
	} else if bytes.Contains(body, r.text) {
		count = 1
	}
	if count == 0 {
		return body, true
	}
	if len(body)+count*(len(r.replacement)-len(r.text)) > limit {
		return nil, false
	}
	return bytes.Replace(body, r.text, r.replacement, count), true
}

func (r *rule) replaceFirst(body []byte, limit int) ([]byte, bool) {
	match := r.regex.FindSubmatchIndex(body)
	if match == nil {
		return body, true
	}
	if len(body)+len(r.replacement)+r.groups*(match[1]-match[0]) > limit {
		return nil, false
	}
	result := append(make([]byte, 0, len(body)+len(r.replacement)), body[:match[0]]...)
	result = r.regex.Expand(result, r.replacement, body, match)
	return append(result, body[match[1]:]...), true
}

// replaceAll bounds the result before it makes it. Only when the number of possible matches could go
// beyond the limit are the matches counted first.
func (r *rule) replaceAll(body []byte, limit int) ([]byte, bool) {
	count, matched := len(body)+1, len(body) // at most
	if r.bound(body, count, matched) > limit {
		count, matched = 0, 0
		r.regex.ReplaceAllFunc(body, func(match []byte) []byte {
			count++
			matched += len(match)
			return nil
		})
		if r.bound(body, count, matched) > limit {
			return nil, false
		}
	}
	return r.regex.ReplaceAll(body, r.replacement), true
}

// bound returns the greatest length of the result: each reference of the template repeats at most the match.
func (r *rule) bound(body []byte, matches, matched int) int {
	return len(body) + matches*len(r.replacement) + matched*r.groups
}
