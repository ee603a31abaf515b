// What quantities and settings are read as.

package main

import (
	"strings"
	"testing"
	"time"
)

func TestQuantities(t *testing.T) {
	for text, bytes := range map[string]int64{"512B": 512, "64KiB": 64 << 10, "1.5GiB": 3 << 29, "2 MiB": 2 << 20} {
		if read, err := parseBytes(text); err != nil || read != bytes {
			t.Errorf("%s: %d, %v", text, read, err)
		}
	}
	for text, rate := range map[string]ByteRate{"2MiB/min": {PerSecond: 2 << 20 / 60.0}, "64KiB/op": {PerOperation: 64 << 10}} {
		if read, err := parseByteRate(text); err != nil || read != rate {
			t.Errorf("%s: %v, %v", text, read, err)
		}
	}
	if read, err := parseRate("30/min"); err != nil || read != 0.5 {
		t.Errorf("30/min: %v, %v", read, err)
	}
	if read, err := parseShare("5%"); err != nil || read != 0.05 {
		t.Errorf("5%%: %v, %v", read, err)
	}
	for text, span := range map[string]time.Duration{"off": 0, "200ms": 200 * time.Millisecond, "30s": 30 * time.Second, "5min": 5 * time.Minute} {
		if read, err := parseInterval(text); err != nil || read != span {
			t.Errorf("%s: %v, %v", text, read, err)
		}
	}
}

func TestWhatIsNoQuantity(t *testing.T) {
	for _, text := range []string{"", "12", "2MB", "-1MiB", "MiB", "9999999TiB"} {
		if _, err := parseBytes(text); err == nil {
			t.Errorf("%q is no size", text)
		}
	}
	for _, text := range []string{"2MiB", "2MiB/day", "2/s", "/s"} {
		if _, err := parseByteRate(text); err == nil {
			t.Errorf("%q is no rate of bytes", text)
		}
	}
	for _, text := range []string{"5", "101%", "5MiB/s"} {
		if _, err := parseShare(text); err == nil {
			t.Errorf("%q is no share", text)
		}
	}
	if _, err := parseRate("30/op"); err == nil {
		t.Error("things are not per operation")
	}
	if _, err := parseInterval("30"); err == nil {
		t.Error("30 of what?")
	}
}

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestTheEnvironmentIsLongbows(t *testing.T) {
	env := environment(map[string]string{
		"LONGBOW_METRICS_ADDR": "0.0.0.0:9999", "LONGBOW_HNSW_M": "16", "LONGBOW_COMPACTION_INTERVAL": "30s", "SOAK_TARGET_KEEP_GOGC": "100",
	})
	args := []string{"target", "--data-addr", "127.0.0.1:0", "--misbehave", "heap_leak=1MiB/s", "--misbehave", "fragment", "--until-stdin-closes"}
	config, err := parseConfig(args, env)
	if err != nil {
		t.Fatal(err)
	}
	if config.DataAddr.Port != 0 || config.MetaAddr.Port != 3001 || config.HTTPAddr.Port != 9999 {
		t.Error(config.DataAddr, config.MetaAddr, config.HTTPAddr)
	}
	if config.HNSWM != 16 || config.EfConstruction != 400 || config.CompactionInterval != 30*time.Second || *config.KeepGOGC != 100 {
		t.Error(config)
	}
	if config.Misbehave != (Misbehave{HeapLeak: ByteRate{PerSecond: 1 << 20}, Fragment: true}) || !config.UntilStdinCloses {
		t.Error(config)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	none := environment(nil)
	for _, mistake := range []struct {
		args []string
		env  func(string) string
		says string
	}{
		{nil, environment(map[string]string{"GOGC": "lots"}), "GOGC=lots: expected a percentage"},
		{nil, environment(map[string]string{"LONGBOW_HNSW_M": "1"}), "LONGBOW_HNSW_M=1: expected 2 to 255"},
		{[]string{"--misbehave", "heap_leek=1"}, none, "--misbehave heap_leek=1: expected one of heap_leak"},
		{[]string{"--misbehave", "compaction=slow"}, none, "expected fails, noop or weak"},
		{[]string{"--data-addr", "nowhere"}, none, "--data-addr=nowhere: expected an address"},
		{[]string{"more"}, none, "unexpected argument"},
	} {
		if _, err := parseConfig(mistake.args, mistake.env); err == nil || !strings.Contains(err.Error(), mistake.says) {
			t.Errorf("%v: %v", mistake.says, err)
		}
	}
}
