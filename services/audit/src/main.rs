//! The binary `audit-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_audit::AuditService>()
}
