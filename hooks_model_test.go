package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/store"
)

// Whatever is done with endpoints while events happen: each hears of everything after it was made that concerns it, and of nothing else, and an
// ordered one hears it in order.
func TestEndpointsHearEverything(t *testing.T) {
	towns := []string{"oak", "elm", "ash"}
	rapid.Check(t, func(rt *rapid.T) {
		r := newHookRig(t, nil)
		defer r.Close()
		v := newReceiver(t, r)
		defer v.Close()
		for _, slug := range towns {
			r.town(slug, slug)
		}
		type endpoint struct {
			id, of  string // "": all communities
			ordered bool
			want    map[string][]string // by community
		}
		var all []*endpoint
		hooks := func(e *endpoint) gateway.Endpoints {
			if e.of == "" {
				return r.Endpoints()
			}
			c, err := r.Community(t.Context(), e.of)
			require.NoError(rt, err)
			return c.Endpoints()
		}
		some := func(rt *rapid.T) *endpoint {
			if len(all) == 0 {
				rt.Skip("there is none")
			}
			return rapid.SampledFrom(all).Draw(rt, "endpoint")
		}
		n := 0
		do := map[string]func(*rapid.T){
			"make": func(rt *rapid.T) {
				e := &endpoint{of: rapid.SampledFrom(append([]string{""}, towns...)).Draw(rt, "of"), ordered: rapid.Bool().Draw(rt, "ordered"), want: map[string][]string{}}
				e.id, _ = r.endpoint(hooks(e), v.URL, e.ordered)
				all = append(all, e)
			},
			"delete": func(rt *rapid.T) {
				e := some(rt)
				require.NoError(rt, hooks(e).Delete(t.Context(), e.id))
				all = slices.DeleteFunc(all, func(o *endpoint) bool { return o == e })
			},
			"say": func(rt *rapid.T) {
				in := rapid.SampledFrom(towns).Draw(rt, "in")
				for range rapid.IntRange(1, 40).Draw(rt, "many") {
					n++
					text := fmt.Sprint(n)
					r.says(in, text, text)
					for _, e := range all {
						if e.of == "" || e.of == in {
							e.want[in] = append(e.want[in], text)
						}
					}
				}
			},
			"refuse": func(rt *rapid.T) {
				bad := rapid.IntRange(2, 4).Draw(rt, "one in")
				v.answers(func(m hookMessage, w http.ResponseWriter) {
					if len(m.id)%2 == 0 && (int(m.id[len(m.id)-1])+int(m.at.Unix()))%bad == 0 || bad == 4 {
						w.WriteHeader(http.StatusInternalServerError)
					}
				})
			},
			"accept":  func(*rapid.T) { v.says(http.StatusOK) },
			"due":     func(*rapid.T) { r.due() },
			"wait":    func(rt *rapid.T) { r.wait(time.Duration(rapid.IntRange(1, 900).Draw(rt, "s")) * time.Second) },
			"restart": func(*rapid.T) { r.again() },
			"disable": func(rt *rapid.T) { e := some(rt); require.NoError(rt, hooks(e).Disable(t.Context(), e.id, "")) },
			"enable":  func(rt *rapid.T) { e := some(rt); require.NoError(rt, hooks(e).Enable(t.Context(), e.id)) },
			"rotate":  func(rt *rapid.T) { e := some(rt); _, _ = hooks(e).Rotate(t.Context(), e.id) },
			"test":    func(rt *rapid.T) { e := some(rt); _, err := hooks(e).Test(t.Context(), e.id); require.NoError(rt, err) },
			"update": func(rt *rapid.T) {
				e := some(rt)
				_, err := hooks(e).Update(t.Context(), e.id, gateway.EndpointSpec{URL: v.URL + "/other", Ordered: e.ordered})
				require.NoError(rt, err)
			},
			"replay": func(rt *rapid.T) {
				e := some(rt)
				require.NoError(rt, hooks(e).Replay(t.Context(), e.id, r.clock.now().Add(-time.Duration(rapid.IntRange(0, 600).Draw(rt, "s"))*time.Second)))
			},
		}
		// The same in the middle of a message that is being sent.
		do["meanwhile"] = func(rt *rapid.T) {
			e := some(rt)
			what := rapid.SampledFrom([]string{"disable", "enable", "replay", "update", "say"}).Draw(rt, "what")
			var once sync.Once
			v.answers(func(hookMessage, http.ResponseWriter) {
				once.Do(func() {
					switch what {
					case "disable":
						_ = hooks(e).Disable(context.Background(), e.id, "")
					case "enable":
						_ = hooks(e).Enable(context.Background(), e.id)
					case "replay":
						_ = hooks(e).Replay(context.Background(), e.id, time.Time{})
					case "update":
						_, _ = hooks(e).Update(context.Background(), e.id, gateway.EndpointSpec{URL: v.URL + "/moved", Ordered: e.ordered})
					case "say":
						r.says("oak", "during", "during")
					}
				})
			})
			r.due()
		}
		rt.Repeat(do)
		v.says(http.StatusOK)
		for _, e := range all {
			require.NoError(rt, hooks(e).Enable(t.Context(), e.id))
		}
		for range 3 {
			r.wait(time.Hour)
		}
		for _, e := range all {
			got := map[string][]string{}
			for _, m := range v.messages() {
				if m.text != "" && len(m.id) > len("msg_"+e.id) && m.id[:len("msg_"+e.id)] == "msg_"+e.id {
					got[m.community] = append(got[m.community], m.text)
				}
			}
			for _, in := range towns {
				if e.of != "" && e.of != in {
					require.Empty(rt, got[in], "another community's")
					continue
				}
				heard := firsts(got[in])
				// A replay may reach back to before it was made.
				heard = slices.DeleteFunc(heard, func(s string) bool { return !slices.Contains(e.want[in], s) })
				if e.ordered {
					require.Equal(rt, append([]string(nil), e.want[in]...), append([]string(nil), heard...), "ordered, %s", in)
				} else {
					require.ElementsMatch(rt, e.want[in], heard, "%s", in)
				}
			}
			require.Empty(rt, r.tasks(store.TaskQuery{Ref: e.id}))
		}
	})
}
