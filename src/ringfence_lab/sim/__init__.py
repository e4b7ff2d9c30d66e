"""An AWS in memory and in virtual time, behind the engine's interfaces: for the tests of failures, and for the proofs.

`invocation` is who calls, `aws` the state of each Region, `engine` the engine's access to it, `cloud` the whole cluster
(start there), `properties` what must hold, `simulation` one random history.
"""
