package basicauth

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pingap/message"
	"pingap/plugins/plugintest"
)

const (
	// alice:secret and bob:pass:word
	table = `authorizations = ["YWxpY2U6c2VjcmV0", "Ym9iOnBhc3M6d29yZA=="]`
	realm = `Basic realm="Access to the staging site"`
)

func TestLetsOnlyListedCredentialsPass(t *testing.T) {
	cases := []struct{ name, fields, body string }{ // no body: passes
		{"first entry", "Authorization: Basic YWxpY2U6c2VjcmV0", ""},
		{"last entry", "authorization: Basic Ym9iOnBhc3M6d29yZA==", ""},
		{"none", "Accept: */*", "Authorization is missing"},
		{"empty", "Authorization:", "Invalid user or password"},
		{"wrong password", "Authorization: Basic YWxpY2U6d3Jvbmc=", "Invalid user or password"},
		{"prefix of an entry", "Authorization: Basic YWxpY2U6", "Invalid user or password"},
		{"entry and more", "Authorization: Basic YWxpY2U6c2VjcmV0AAAA", "Invalid user or password"},
		{"scheme in lower case", "Authorization: basic YWxpY2U6c2VjcmV0", "Invalid user or password"},
		{"other scheme", "Authorization: Bearer YWxpY2U6c2VjcmV0", "Invalid user or password"},
		{"two fields", "Authorization: Basic YWxpY2U6c2VjcmV0\nAuthorization: Basic eDp5", "Invalid user or password"},
		{"two fields, second right", "Authorization: Basic eDp5\nAuthorization: Basic YWxpY2U6c2VjcmV0", "Invalid user or password"},
		{"proxy field", "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0", "Authorization is missing"},
	}
	x := plugintest.Build(t, Factory(), table)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := plugintest.New(t, "GET /\n"+c.fields)
			d := x.Decider.Decide(e)
			if c.body == "" {
				if d.Answer != nil {
					t.Fatalf("refused: %s", d.Answer.Body)
				}
				if !e.Request.Fields.Has(message.Authorization) {
					t.Error("credentials are gone")
				}
				return
			}
			if d.Answer == nil {
				t.Fatal("passed")
			}
			if d.Answer.Status != 401 || string(d.Answer.Body) != c.body || plugintest.Field(d.Answer, "www-authenticate") != realm {
				t.Errorf("answer %d %q\n%s", d.Answer.Status, d.Answer.Body, plugintest.FieldText(d.Answer.Fields))
			}
		})
	}
}

func TestHidesCredentialsFromTheUpstream(t *testing.T) {
	x := plugintest.Build(t, Factory(), table+"\nhide_credentials = true")
	e := plugintest.New(t, "GET /\nAuthorization: Basic YWxpY2U6c2VjcmV0\nAccept: */*")
	if d := x.Decider.Decide(e); d.Answer != nil {
		t.Fatal("refused")
	}
	if got := plugintest.FieldText(e.Request.Fields.List()); got != "Accept: */*\n" {
		t.Errorf("upstream gets %q", got)
	}
}

func TestDelaysWrongCredentialsOnlyAndAllAtOnce(t *testing.T) {
	waits := map[string]time.Duration{
		"GET /\nAuthorization: Basic eDp5":             3 * time.Second,
		"GET /\nAuthorization: Basic YWxpY2U6c2VjcmV0": 0,
		"GET /": 0,
	}
	synctest.Test(t, func(t *testing.T) {
		x := plugintest.Build(t, Factory(), table+"\ndelay = \"3s\"")
		var all sync.WaitGroup
		defer all.Wait()
		for request, want := range waits {
			for range 5 { // together: nobody waits for another
				e := plugintest.New(t, request)
				start := time.Now()
				all.Go(func() {
					x.Decider.Decide(e)
					if waited := time.Since(start); waited != want {
						t.Errorf("%q waited %s", request, waited)
					}
				})
			}
		}
	})
}

func TestNobodyIsDelayedInShadowModeOrOnceClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := plugintest.Build(t, Factory(), table+"\ndelay = \"3s\"")
		e := plugintest.New(t, "GET /\nAuthorization: Basic eDp5")
		e.Shadow = true
		start := time.Now()
		if d := x.Decider.Decide(e); d.Answer == nil || time.Since(start) != 0 {
			t.Errorf("answer %v after %s", d.Answer, time.Since(start))
		}
		time.AfterFunc(time.Second, func() { _ = x.Close() })
		x.Decider.Decide(plugintest.New(t, "GET /\nAuthorization: Basic eDp5"))
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestCredentialsMayComeFromTheEnvironment(t *testing.T) {
	x := plugintest.BuildWith(t, Factory(), `authorizations = ["$ENV:STAFF"]`, map[string]string{"STAFF": "YWxpY2U6c2VjcmV0"})
	if d := x.Decider.Decide(plugintest.New(t, "GET /\nAuthorization: Basic YWxpY2U6c2VjcmV0")); d.Answer != nil {
		t.Errorf("refused: %s", d.Answer.Body)
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "authorizations", Message: "is required: Who may pass: base64 of user:password, one entry each."},
		{Table: `authorizations = []`, Key: "authorizations", Message: "expected at least one entry"},
		{Table: `authorizations = "YTpi"`, Key: "authorizations", Message: "expected a list of texts, found text"},
		{Table: `authorizations = ["YTpi", "alice:secret"]`, Key: "authorizations", Message: "entry 2: expected base64 of user:password"},
		{Table: `authorizations = ["YWxpY2U="]`, Key: "authorizations", Message: "entry 1: expected base64 of user:password"},
		{Table: `authorizations = ["YTpi\n"]`, Key: "authorizations", Message: "entry 1: expected base64 of user:password"},
		{Table: `authorizations = ["YTp="]`, Key: "authorizations", Message: "entry 1: expected base64 of user:password"},
		{Table: table + "\n" + `delay = "1h"`, Key: "delay", Message: "expected at most 10s, found 1h0m0s"},
		{Table: table + "\n" + `hide_credentials = "true"`, Key: "hide_credentials", Message: "expected true or false, found text"},
		{Table: table + "\n" + `hide_credential = true`, Key: "hide_credential", Message: `basic_auth has no such parameter, did you mean "hide_credentials"?`},
		{Table: table + "\n" + `step = "early_request"`, Key: "step", Message: `basic_auth has no step "early_request", expected request`},
	})
}

func TestKeepsAndPrintsNoSecret(t *testing.T) {
	x := plugintest.Build(t, Factory(), table)
	for _, problem := range plugintest.Check(t, Factory(), `authorizations = ["hunter2"]`) {
		if strings.Contains(problem.Message, "hunter2") {
			t.Errorf("message %q", problem.Message)
		}
	}
	text := fmt.Sprintf("%#v", x.Decider)
	for _, secret := range []string{"YWxpY2U6c2VjcmV0", "secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("the instance holds %q", secret)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), table)
	for _, fields := range []string{"Authorization: Basic YWxpY2U6c2VjcmV0", "Authorization: Basic eDp5", ""} {
		e := plugintest.New(t, "GET /\n"+fields)
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%q: %v allocations", fields, n)
		}
	}
}
