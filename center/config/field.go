package config

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. As text it has a unit: 512MiB, 8GiB.
type Size int64

var units = []struct {
	name string
	size Size
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String is the size in the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return "0"
}

func parseSize(s string) (Size, error) {
	digits, unit := s, Size(1)
	for _, u := range units {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = strings.TrimSpace(d), u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || Size(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("not a size, such as 512MiB or 8GiB")
	}
	return Size(n) * unit, nil
}

// Field is one setting, as its tags state it.
type Field struct {
	Key     string // "console.listen"
	Env     string // the environment variable that sets it
	Default string
	Allowed string // in words
	Doc     string
	Example string // where the default is empty, else ""
	Group   string // doc of the group it is in
	List    bool
	value   func(*Config) reflect.Value
	tag     reflect.StructTag
}

// EnvPrefix is what environment variables of settings begin with.
const EnvPrefix = "VERDERER_"

// Fields lists every setting in the order of Config.
func Fields() []Field {
	return fields(reflect.TypeFor[Config](), "", "", nil)
}

func fields(t reflect.Type, prefix, group string, index []int) (list []Field) {
	for i := range t.NumField() {
		sf := t.Field(i)
		key, at := prefix+sf.Tag.Get("koanf"), append(append([]int{}, index...), i)
		if sf.Type.Kind() == reflect.Struct {
			list = append(list, fields(sf.Type, key+".", sf.Tag.Get("doc"), at)...)
			continue
		}
		f := Field{
			Key: key, Env: EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_")),
			Default: sf.Tag.Get("default"), Doc: sf.Tag.Get("doc"), Example: sf.Tag.Get("eg"), Group: group,
			List: sf.Type.Kind() == reflect.Slice, tag: sf.Tag,
			value: func(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(at) },
		}
		f.Allowed = f.allowed(sf.Type)
		list = append(list, f)
	}
	return list
}

func (f *Field) allowed(t reflect.Type) string {
	switch {
	case f.tag.Get("one") != "":
		return strings.ReplaceAll(f.tag.Get("one"), " ", ", ")
	case t == reflect.TypeFor[Size]():
		return "a size from " + f.tag.Get("min") + " to " + f.tag.Get("max")
	case t == reflect.TypeFor[time.Duration]():
		return "a duration from " + f.tag.Get("min") + " to " + f.tag.Get("max")
	case t.Kind() == reflect.Int:
		return "a number from " + f.tag.Get("min") + " to " + f.tag.Get("max")
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	switch f.tag.Get("is") {
	case "listen":
		return "address:port or :port"
	case "listen-or-off":
		return "address:port or :port, or empty"
	case "address":
		return "host:port, or empty"
	case "url":
		return "an https URL without a path, or empty"
	}
	return "an absolute path" + map[bool]string{true: ", or empty"}[f.Default == ""]
}

// set gives the setting a value as it was read: text, or what YAML makes of it.
func (f *Field) set(c *Config, value any) error {
	to := f.value(c)
	if f.List {
		list, err := texts(value)
		if err != nil {
			return err
		}
		to.Set(reflect.ValueOf(list))
		return nil
	}
	s, err := scalar(value)
	if err != nil {
		return err
	}
	switch to.Interface().(type) {
	case Size:
		n, err := parseSize(s)
		if err != nil {
			return err
		}
		low, _ := parseSize(f.tag.Get("min"))
		high, _ := parseSize(f.tag.Get("max"))
		if n < low || n > high {
			return fmt.Errorf("out of range")
		}
		to.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("not a duration, such as 36h or 90m")
		}
		low, _ := time.ParseDuration(f.tag.Get("min"))
		high, _ := time.ParseDuration(f.tag.Get("max"))
		if d < low || d > high {
			return fmt.Errorf("out of range")
		}
		to.SetInt(int64(d))
	case int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("not a whole number")
		}
		low, _ := strconv.Atoi(f.tag.Get("min"))
		high, _ := strconv.Atoi(f.tag.Get("max"))
		if n < low || n > high {
			return fmt.Errorf("out of range")
		}
		to.SetInt(int64(n))
	default:
		if err := f.checkText(s); err != nil {
			return err
		}
		to.SetString(s)
	}
	return nil
}

func (f *Field) checkText(s string) error {
	if words := strings.Fields(f.tag.Get("one")); len(words) > 0 {
		for _, w := range words {
			if w == s {
				return nil
			}
		}
		return fmt.Errorf("not one of them%s", suggestion(s, words))
	}
	is := f.tag.Get("is")
	if s == "" {
		if f.Default == "" || is == "listen-or-off" {
			return nil
		}
		return fmt.Errorf("must not be empty")
	}
	switch is {
	case "listen", "listen-or-off", "address":
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("no port in it")
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 || is == "address" && n == 0 {
			return fmt.Errorf("%q is no port", port)
		}
		if is == "address" && host == "" {
			return fmt.Errorf("no host in it")
		}
	case "url":
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("not such a URL")
		}
	default:
		if !filepath.IsAbs(s) {
			return fmt.Errorf("not an absolute path")
		}
	}
	return nil
}

// scalar is the text of one value.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), nil
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("must be one value")
}

// texts is a list of values. As text, which is how the environment gives it, it
// is separated by commas.
func texts(v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		var list []string
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		return list, nil
	case []string:
		return v, nil
	case []any:
		var list []string
		for _, e := range v {
			s, err := scalar(e)
			if err != nil {
				return nil, fmt.Errorf("each entry must be one value")
			}
			list = append(list, s)
		}
		return list, nil
	}
	return nil, fmt.Errorf("must be a list")
}

// show is a value as it is quoted in an error.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil || len(b) > 200 {
		return fmt.Sprintf("a %T", v)
	}
	return string(b)
}
