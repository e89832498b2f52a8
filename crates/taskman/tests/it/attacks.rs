//! Every RPC, called by everybody who must not.
