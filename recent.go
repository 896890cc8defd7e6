package gateway

// recent remembers what was used lately, so that memory follows what happens and not what there is. It keeps up to most values, at
// least the half of them that was used last: when the younger half is full it becomes the older one, and the older one goes. The caller
// locks. The zero value remembers nothing yet.
type recent[V any] struct {
	young, old map[string]V
	most       int
}

func (r *recent[V]) get(key string) (v V, ok bool) {
	if v, ok = r.young[key]; ok {
		return v, true
	}
	if v, ok = r.old[key]; ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[V]) put(key string, v V) {
	if _, there := r.young[key]; r.young == nil || !there && len(r.young) >= r.most/2 {
		r.young, r.old = map[string]V{}, r.young
	}
	r.young[key] = v
	delete(r.old, key)
}

func (r *recent[V]) drop(key string) {
	delete(r.young, key)
	delete(r.old, key)
}

// maxOpened is how many instances stay open. One that is not used is opened again when it is.
const maxOpened = 4096
