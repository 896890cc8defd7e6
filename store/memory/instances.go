package memory

import (
	"fmt"

	"github.com/metagov/gateway-go/store"
)

func (t *tx) PutInstance(i store.Instance) error {
	if t.locked != nil {
		return t.locked
	}
	old, there := t.instances.get(key{i.ID})
	if err := swap("instance", i.ID, i.Rev, there, func() int64 { return old.Rev }); err != nil {
		return err
	}
	if id, ok := t.byName.get(key{i.Community, i.Name}); ok && id != i.ID {
		return fmt.Errorf("memory: an instance named %q is in %q already: %w", i.Name, i.Community, store.ErrConflict)
	}
	same := there && old.Community == i.Community && old.Plugin == i.Plugin && old.PlatformID == i.PlatformID
	if i.PlatformID != "" && !same && t.byPlatformC.has(key{i.Community, i.Plugin, i.PlatformID}) {
		return fmt.Errorf("memory: an instance of %q for %q is in %q already: %w", i.Plugin, i.PlatformID, i.Community, store.ErrConflict)
	}
	if there {
		t.unindexInstance(old)
	}
	i = copyInstance(i)
	i.Rev++
	i.Created, i.Updated = when(i.Created), when(i.Updated)
	t.instances.put(key{i.ID}, &i)
	t.byName.put(key{i.Community, i.Name}, i.ID)
	t.byPlugin.put(key{i.Plugin, i.ID}, none{})
	if i.PlatformID != "" {
		t.byPlatform.put(key{i.Plugin, i.PlatformID, i.ID}, none{})
		t.byPlatformC.put(key{i.Community, i.Plugin, i.PlatformID}, none{})
	}
	return nil
}

func (t *tx) unindexInstance(i *store.Instance) {
	t.byName.del(key{i.Community, i.Name})
	t.byPlugin.del(key{i.Plugin, i.ID})
	if i.PlatformID != "" {
		t.byPlatform.del(key{i.Plugin, i.PlatformID, i.ID})
		t.byPlatformC.del(key{i.Community, i.Plugin, i.PlatformID})
	}
}

func copyInstance(i store.Instance) store.Instance {
	i.Config, i.Sealed = own(i.Config), own(i.Sealed)
	return i
}

// instance finds the row of an ID that an index holds.
func (t *tx) instance(id string) (store.Instance, bool) {
	i, ok := t.instances.get(key{id})
	if !ok {
		return store.Instance{}, false
	}
	return copyInstance(*i), true
}

func (t *tx) Instance(id string) (store.Instance, error) {
	i, ok := t.instance(id)
	if !ok {
		return i, missing("instance", id)
	}
	return i, nil
}

func (t *tx) InstanceByName(community, name string) (store.Instance, error) {
	id, ok := t.byName.get(key{community, name})
	if !ok {
		return store.Instance{}, missing("instance", community, name)
	}
	return t.Instance(id)
}

func (t *tx) Instances(community string, limit int) ([]store.Instance, error) {
	return first(t.byName.under(community), atMost(limit), func(_ key, id string) (store.Instance, bool) { return t.instance(id) }), nil
}

func (t *tx) InstancesByPlatform(plugin, platformID string, limit int) ([]store.Instance, error) {
	walk := t.byPlatform.under(plugin, platformID)
	return first(walk, atMost(limit), func(k key, _ none) (store.Instance, bool) { return t.instance(k[2]) }), nil
}

func (t *tx) InstancesByPlugin(plugin, after string, limit int) ([]store.Instance, error) {
	walk := t.byPlugin.after(key{plugin, after}, 1, after != "")
	return first(walk, atMost(limit), func(k key, _ none) (store.Instance, bool) { return t.instance(k[1]) }), nil
}

func (t *tx) DeleteInstance(id string) error {
	if t.locked != nil {
		return t.locked
	}
	if id == "" {
		// Tasks and echoes that are for no instance are not this one's.
		return nil
	}
	if i, ok := t.instances.get(key{id}); ok {
		t.unindexInstance(i)
		t.instances.del(key{id})
	}
	for k := range t.state.under(id) {
		t.state.del(k)
	}
	for k := range t.tasksI.under(id) {
		task, _ := t.tasks.get(key{k[1], k[2]})
		t.deleteTask(task)
	}
	for k := range t.refs.under(id) {
		t.refs.del(k)
		t.refsOf.del(key{k[2], k[0], k[1]})
	}
	for k := range t.echoes.under(id) {
		t.deleteEcho(k)
	}
	return nil
}
