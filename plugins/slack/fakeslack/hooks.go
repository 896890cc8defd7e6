package fakeslack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/metagov/gateway-go/internal/fake"
)

const (
	hookLife = 30 * time.Minute
	hookUses = 5
)

// responseHook is what is behind a response_url.
type responseHook struct {
	w         *Workspace
	channel   string
	user      string
	message   *message // the message whose button was pressed; nil for commands and shortcuts
	ephemeral bool
	expires   time.Time
	uses      int
}

// newHook makes a response_url. The kind is actions, commands or app. The caller holds s.mu.
func (w *Workspace) newHook(kind, channel, user string, m *message) string {
	s := w.s
	path := fmt.Sprintf("/%s/%s/%d/%s", kind, w.id, 1_000_000_000_000+s.seq, secretText(12))
	s.seq++
	s.hooks[path] = &responseHook{
		w: w, channel: channel, user: user, message: m, ephemeral: m != nil && m.ephemeral, expires: s.opt.Now().Add(hookLife),
	}
	return "https://hooks.slack.com" + path
}

func isHookPath(p string) bool {
	return strings.HasPrefix(p, "/actions/") || strings.HasPrefix(p, "/commands/") || strings.HasPrefix(p, "/app/")
}

type hookBody struct {
	Text            string          `json:"text"`
	Blocks          json.RawMessage `json:"blocks"`
	Attachments     json.RawMessage `json:"attachments"`
	ResponseType    string          `json:"response_type"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
	ThreadTS        string          `json:"thread_ts"`
}

func (s *Server) serveHook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	call := &Call{Method: "response_url", Args: url.Values{}, Token: string(kindNone), At: s.opt.Now()}
	if len(body) > 0 && body[0] == '{' {
		call.Problems = problemOf(readJSONArgs(body, call.Args))
	} else if form, err := url.ParseQuery(string(body)); err == nil && form.Has("payload") {
		body = []byte(form.Get("payload"))
		call.Problems = problemOf(readJSONArgs(body, call.Args))
	}
	s.calls = append(s.calls, call)
	fault := s.faults.Request(call.Method)
	s.mu.Unlock()
	fault.Play(w, r, func() fake.Answer {
		s.mu.Lock()
		defer s.mu.Unlock()
		call.Answer = s.useHook(r, call, body)
		return fake.Answer(call.Answer)
	}, func(a fake.Answer) { s.record(call, Answer(a)) })
}

func problemOf(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}

func hookRefusal(status int, code string) Answer {
	return Answer{Status: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body: rawJSON(object{"ok": false, "error": code})}
}

// useHook acts for a POST to a response_url. The caller holds s.mu.
func (s *Server) useHook(r *http.Request, call *Call, body []byte) Answer {
	h := s.hooks[r.URL.Path]
	if r.Method != http.MethodPost {
		return hookRefusal(http.StatusMethodNotAllowed, "method_not_allowed")
	}
	if h == nil {
		return hookRefusal(http.StatusNotFound, "no_such_url")
	}
	call.Team, call.User = h.w.id, h.user
	if h.uses >= hookUses || !s.opt.Now().Before(h.expires) {
		return hookRefusal(http.StatusNotFound, "expired_url")
	}
	var in hookBody
	if json.Unmarshal(body, &in) != nil {
		return hookRefusal(http.StatusBadRequest, "invalid_payload")
	}
	if err := h.apply(in); err != nil {
		a := hookRefusal(http.StatusBadRequest, err.Error())
		return a
	}
	h.uses++
	return Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte("ok")}
}

// apply does what an answer asks for, whether it comes by the response_url or as the answer to a command.
func (h *responseHook) apply(in hookBody) error {
	w := h.w
	c := w.channels[h.channel]
	if c == nil {
		return refuse("channel_not_found")
	}
	if in.DeleteOriginal {
		if h.message == nil || h.message.deleted {
			return refuse("message_not_found")
		}
		if h.ephemeral {
			h.message.deleted = true
		} else {
			w.delete(c, h.message)
		}
		return nil
	}
	blocks, err := w.s.parseBlocks(string(in.Blocks), maxMessageBlocks)
	if err != nil {
		return err
	}
	var attachments []any
	if len(in.Attachments) > 0 && json.Unmarshal(in.Attachments, &attachments) != nil {
		return refuse("invalid_attachments")
	}
	if strings.TrimSpace(in.Text) == "" && len(blocks) == 0 && len(attachments) == 0 {
		return refuse("no_text")
	}
	set := func(m *message) { m.text, m.blocks, m.attachments = in.Text, blocks, attachments }
	if in.ReplaceOriginal {
		switch {
		case h.message == nil || h.message.deleted:
			return refuse("message_not_found")
		case h.ephemeral:
			set(h.message)
		default:
			w.edit(c, h.message, h.message.user, set)
		}
		return nil
	}
	if w.install == nil {
		return refuse("account_inactive")
	}
	m := &message{user: w.install.botUser, botID: w.install.botID, postedByApp: true, threadTS: in.ThreadTS}
	set(m)
	if in.ResponseType == "in_channel" {
		w.post(c, m)
	} else {
		w.whisper(c.id, h.user, m)
	}
	return nil
}
