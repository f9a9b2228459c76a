package table

import (
	"fmt"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	var b strings.Builder
	wrap(&b, "one two "+strings.Repeat("long", 30)+" drei vier ünf", 40)
	pad := strings.Repeat(" ", indent)
	want := pad + "one two\n" + pad + strings.Repeat("long", 30) + "\n" + pad + "drei vier ünf\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	for n := 1; n <= 19; n++ { // 19 characters fit beside the indent
		b.Reset()
		wrap(&b, strings.Repeat("x", n)+" y", 40)
		if lines := strings.Count(b.String(), "\n"); lines != 1 && n <= 17 || lines != 2 && n > 17 {
			t.Errorf("%d characters and one more: %d lines", n, lines)
		}
	}
}

func TestStyle(t *testing.T) {
	if got := style(false).severity("high"); got != "HIGH  " {
		t.Errorf("%q", got)
	}
	if got := fmt.Sprintf("%q", style(true).severity("medium")); got != `"\x1b[33mMEDIUM\x1b[0m"` {
		t.Error(got)
	}
	if got := style(true).severity("low"); got != "LOW   " {
		t.Errorf("%q", got)
	}
}
