package control

import (
	"strings"
	"testing"

	"pingap/ipc"
)

// Workers know where pictures are made before they get the first configuration that wants it, and are not told again.
func TestWorkersAreToldWherePicturesAreMade(t *testing.T) {
	const with = "[plugins.p]\ncategory = \"image_optim\"\n"
	r := newRig(t, base, rigOptions{})
	r.boot()
	r.write(base + with)
	u := r.dial()
	u.send(ipc.Reload{})
	m := r.receive()
	told, ok := m.Body.(*ipc.State)
	if !ok || len(told.Items) != 1 {
		t.Fatalf("%T: %+v", m.Body, m.Body)
	}
	item := told.Items[0]
	if item.Kind != ipc.StatePictures || item.Key != ipc.PicturesKey || item.Private || !strings.HasPrefix(string(item.Body[ipc.PicturesToken:]), "@pingap-pictures-") {
		t.Errorf("%+v", item)
	}
	r.send(m.Txn, ipc.StateTaken{Workers: 2})
	m.Close()
	r.apply(r.expectProposal(), 2)
	r.write(base + with + "remark = \"again\"\njpeg_quality = 70\n")
	u.send(ipc.Reload{})
	r.expectProposal() // it would fail on a State
}
