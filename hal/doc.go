// Package hal is the vocabulary that device classes are written in: Class, Device, Method, Verb, Fields, Refusal. It knows no hardware
// and nothing about who calls.
//
// A class declares its methods beside their handlers with On, OnMany, OnValues, Plain, Watch and Stream. The messages of a method name their fields once, in a method
// Fields, in the way of the standard library's flag package. From these declarations come the strict decoder, the encoder, the limits of grants, the varlink
// interface text and the commands of halctl. There are no struct tags, no generated code, and no reflection.
//
// A call goes through four steps that the types keep in order: Method.Decode gives a Call with typed parameters and resolved devices; Call.Authorise
// asks a Gate about just these and gives a Permitted; Permitted.Run runs the handler on just these. Nothing else can run a handler.
package hal
