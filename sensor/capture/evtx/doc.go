// Package evtx reads the chunks of a Windows event log file: 64 KiB each, read
// alone, with their own strings and templates. The form of the file around them
// is its caller's business.
//
// There is no specification of the file. Chunks and records are read as
// libevtx's documentation describes them, their content, binary XML, by
// MS-EVEN6 §2.2.12 to §2.2.18, and values as Windows renders them. A template is
// compiled once for a chunk, into a list of steps that each of its records then
// runs through, so that nothing becomes a tree of XML.
//
// Of an event are kept what System says of provider, id, version, keywords,
// time, channel, computer and user, and the values of EventData, UserData and
// what else may stand in their place, by the name of each <Data> or of the
// innermost element. RenderingInfo, which collectors add to forwarded events,
// is left out: it says in a language what the fields say without. So are
// attributes other than names.
//
// Forwarded and exported records may hold elements without a template, and
// binary XML within values in which elements lack the dependency id that they
// have in templates; both are told by where the element's name is.
//
// Nothing is believed. The limits below hold for a chunk whatever is in it, a
// record that breaks one is left out and told of, and the next is looked for by
// its signature. Records beyond the end that the chunk's header states, which is
// out of date where a computer lost power, are read while their ids go on.
package evtx
