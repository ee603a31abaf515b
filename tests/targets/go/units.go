// Quantities with units, as the harness writes them: "64MiB", "2MiB/min", "30/min", "5%", "200ms".

package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// A ByteRate is bytes over time, or bytes for each operation that is served. The zero value is no rate at all.
type ByteRate struct {
	PerSecond    float64
	PerOperation float64
}

var (
	errBytes = errors.New(`expected a size in B, KiB, MiB, GiB or TiB, such as "64MiB"`)
	errRate  = errors.New(`expected a number per s, min or h, such as "200/s"`)
	errBRate = errors.New(`expected a size per s, min, h or op, such as "2MiB/min"`)
	errSpan  = errors.New(`expected a length of time in ms, s, min or h, or "off", such as "30s"`)
	errShare = errors.New(`expected a percentage from 0% to 100%, such as "28%"`)
)

// splitNumber splits "1.5GiB" into 1.5 and "GiB".
func splitNumber(text string) (number float64, unit string, ok bool) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if end < 0 {
		end = len(text)
	}
	number, err := strconv.ParseFloat(text[:end], 64)
	return number, strings.TrimSpace(text[end:]), err == nil
}

func parseBytes(text string) (int64, error) {
	factors := map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	number, unit, ok := splitNumber(text)
	factor, known := factors[unit]
	if !ok || !known || number*factor > 9e15 {
		return 0, errBytes
	}
	return int64(math.Round(number * factor)), nil
}

// seconds of a span's name in a rate; ok is false for "op" and for what is no span.
func spanSeconds(name string) (seconds float64, ok bool) {
	seconds, ok = map[string]float64{"s": 1, "min": 60, "h": 3600}[strings.TrimSpace(name)]
	return seconds, ok
}

func parseByteRate(text string) (ByteRate, error) {
	amount, span, found := strings.Cut(text, "/")
	bytes, err := parseBytes(amount)
	if !found || err != nil {
		return ByteRate{}, errBRate
	}
	if strings.TrimSpace(span) == "op" {
		return ByteRate{PerOperation: float64(bytes)}, nil
	}
	seconds, ok := spanSeconds(span)
	if !ok {
		return ByteRate{}, errBRate
	}
	return ByteRate{PerSecond: float64(bytes) / seconds}, nil
}

// parseRate gives things a second.
func parseRate(text string) (float64, error) {
	count, span, _ := strings.Cut(text, "/")
	number, unit, ok := splitNumber(count)
	seconds, known := spanSeconds(span)
	if !ok || unit != "" || !known {
		return 0, errRate
	}
	return number / seconds, nil
}

func parseShare(text string) (float64, error) {
	number, unit, ok := splitNumber(text)
	if !ok || unit != "%" || number > 100 {
		return 0, errShare
	}
	return number / 100, nil
}

// parseInterval gives 0 for "off".
func parseInterval(text string) (time.Duration, error) {
	if text == "off" {
		return 0, nil
	}
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour}
	number, name, ok := splitNumber(text)
	unit, known := units[name]
	span := time.Duration(number * float64(unit))
	if !ok || !known || span <= 0 {
		return 0, errSpan
	}
	return span, nil
}
