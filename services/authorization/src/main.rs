//! The binary `authorization-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_authorization::AuthorizationService>()
}
