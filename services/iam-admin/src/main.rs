//! The binary `iam-admin-service`.

fn main() -> std::process::ExitCode {
    taskman_chassis::main::<taskman_iam_admin::IamAdminService>()
}
