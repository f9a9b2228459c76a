// Package dcom reads the DCOM interfaces by which programs run something on
// another computer: activation (MS-DCOM §3.1.2.5.2.3, IRemoteSCMActivator and its
// predecessor IActivation), and WMI (MS-WMI §3.1.4.3, IWbemServices).
//
// # What is read
//
// Of an activation the class id: of WMI's class (MS-WMI §1.9, WbemLevel1Login)
// it is server.wmi, of any other rpc.call with the class id as object. It is in
// the activation properties (MS-DCOM §2.2.22), of which the header and
// InstantiationInfoData are read; IActivation has it as an argument.
//
// ExecMethod and ExecMethodAsync are server.wmi with the object path as class and
// the method; of other calls of IWbemServices, which are rpc.call, the query or
// the object path is the object. A return value that is an error makes a call a
// failure.
//
// # What is ignored on purpose
//
// Parameters of a method, which are objects in an encoding of their own (MS-WMIO):
// Windows seals IWbemServices, and requires that since 2021. Releasing and finding
// interfaces (IRemUnknown), resolving objects (IObjectExporter).
//
// # Limits
//
// decode.UsualStub bytes of a request; properties of an activation maxProperties,
// extensions of a call maxExtents.
package dcom
