package endpoints

// State is what workers have found out about a backend, read from its record.
type State struct{}

// readLocked reads the record of a backend.
func (d *Directory) readLocked(b *backend, _ *form) (int64, State) {
	if d.opt.Arena == nil {
		return -1, State{}
	}
	r := d.opt.Arena.Record(b.record.Row, b.record.ID)
	if r == nil {
		return -1, State{}
	}
	return max(0, r.Held().Load()), State{}
}
