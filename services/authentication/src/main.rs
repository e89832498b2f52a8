//! The binary `authentication-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_authentication::AuthenticationService>()
}
