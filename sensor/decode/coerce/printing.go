package coerce

import (
	"slices"

	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
	"github.com/verderer/verderer/sensor/decode/ndr"
)

// operationsRPRN are the methods of MS-RPRN that are activities: those that open
// a printer, and those that set printing up.
var operationsRPRN = decode.Operations{
	1:  "RpcOpenPrinter",
	5:  "RpcAddPrinter",
	9:  "RpcAddPrinterDriver",
	10: "RpcEnumPrinterDrivers",
	13: "RpcDeletePrinterDriver",
	14: "RpcAddPrintProcessor",
	46: "RpcAddMonitor",
	61: "RpcAddPortEx",
	62: "RpcRemoteFindFirstPrinterChangeNotification",
	65: "RpcRemoteFindFirstPrinterChangeNotificationEx",
	69: "RpcOpenPrinterEx",
	70: "RpcAddPrinterEx",
	84: "RpcDeletePrinterDriverEx",
	85: "RpcAddPerMachineConnection",
	88: "RpcXcvData",
	89: "RpcAddPrinterDriverEx",
}

// operationsPAR are those of MS-PAR.
var operationsPAR = decode.Operations{
	0:  "RpcAsyncOpenPrinter",
	1:  "RpcAsyncAddPrinter",
	33: "RpcAsyncXcvData",
	39: "RpcAsyncAddPrinterDriver",
	40: "RpcAsyncEnumPrinterDrivers",
	42: "RpcAsyncDeletePrinterDriver",
	43: "RpcAsyncDeletePrinterDriverEx",
	44: "RpcAsyncAddPrintProcessor",
	51: "RpcAsyncAddMonitor",
	55: "RpcAsyncAddPerMachineConnection",
	62: "RpcAsyncInstallPrinterDriverFromPackage",
	63: "RpcAsyncUploadPrinterDriverPackage",
}

func rprn(x *decode.Context, c *decode.RPCCall) {
	if operationsRPRN.Name(c.Opnum) == "" {
		x.Count(reasonPrinting, 1)
		return
	}
	emit(x, c, "rprn", operationsRPRN, func(q *ndr.Reader, d *activity.RPC) {
		switch c.Opnum {
		case 1, 69: // pPrinterName
			d.Object = q.UniqueString()
		case 62, 65:
			q.Handle()
			q.Uint32()                  // fdwFlags
			q.Uint32()                  // fdwOptions
			d.Object = q.UniqueString() // pszLocalMachine
		case 9, 89:
			if driver(q, d) && c.Opnum == 89 {
				d.Flags = q.Uint32() // dwFileCopyFlags
			}
		case 88:
			q.Handle()
			d.Object = q.String() // pszDataName
		}
	})
}

func par(x *decode.Context, c *decode.RPCCall) {
	if operationsPAR.Name(c.Opnum) == "" {
		x.Count(reasonPrinting, 1)
		return
	}
	emit(x, c, "par", operationsPAR, func(q *ndr.Reader, d *activity.RPC) {
		switch c.Opnum {
		case 0:
			d.Object = q.UniqueString()
		case 39:
			if driver(q, d) {
				d.Flags = q.Uint32()
			}
		case 62: // pszServer, pszInfPath
			q.UniqueString()
			d.Object = q.UniqueString()
		case 63:
			q.UniqueString()
			d.Object = q.String()
		}
	})
}

// A member of RPC_DRIVER_INFO.
type member byte

const (
	number member = iota // 32 bits
	long                 // 64 bits
	text                 // a pointer to a string
	list                 // a pointer to strings one after the other, in an array of characters
)

// driverLevels are the structures of a DRIVER_CONTAINER (MS-RPRN §2.2.1.5), each
// of which begins as those before it; level 1 has a name alone. Of level 8
// nothing that follows its strings matters: it is read up to its flags too.
var driverLevels = func() map[uint32][]member {
	two := []member{number, text, text, text, text, text} // cVersion, pName, pEnvironment, pDriverPath, pDataFile, pConfigFile
	three := append(two[:len(two):len(two)], text, text, text, number, list)
	four := append(three[:len(three):len(three)], number, list)
	six := append(four[:len(four):len(four)], number, number, long, text, text, text, text)
	eight := append(six[:len(six):len(six)], text, text, number, list, text, number, number, list, number, number, long)
	return map[uint32][]member{2: two, 3: three, 4: four, 6: six, 8: eight}
}()

// driver reads pName and pDriverContainer, and tells whether what follows them
// can be read.
func driver(q *ndr.Reader, d *activity.RPC) bool {
	q.UniqueString()
	q.AlignPointer()
	d.Level = q.Uint32()
	if q.Union() != d.Level && q.OK() {
		q.Fail()
	}
	members, known := driverLevels[d.Level]
	if !q.Pointer() || !known {
		return false
	}
	q.AlignPointer()
	if slices.Contains(members, long) {
		q.Align(8)
	}
	var points [40]bool
	for i, m := range members {
		switch m {
		case number:
			q.Uint32()
		case long:
			q.Uint64()
		default:
			points[i] = q.Pointer()
		}
	}
	for i, m := range members {
		if !points[i] {
			continue
		}
		if m == list {
			q.Bytes(2 * q.Count())
			continue
		}
		s := q.String()
		if i < 3 || i > 5 { // pDriverPath, pDataFile, pConfigFile
			continue
		}
		if some(d, s); d.Object == "" || unc(s) && !unc(d.Object) {
			d.Object = s
		}
	}
	return true
}
