//! Microsoft 365: Entra and Exchange Online.
//!
//! Microsoft Learn: "Authenticate an IMAP, POP or SMTP connection using OAuth"; "Onboard SMTP applications with
//! RBAC for Applications"; "Manage High Volume Email"; the Azure CLI's `az ad app`.

use super::{Checked, Instruction, Script, SetupKind, SetupPlan, config_file, step};

pub(super) fn plan(wishes: &Checked) -> SetupPlan {
    let mut steps = vec![register(wishes)];
    match wishes.kind {
        SetupKind::AppScoped => {
            steps.push(secret(wishes));
            steps.push(scope(wishes));
            steps.push(smtp_auth(wishes));
        }
        SetupKind::AppPermission => {
            steps.push(secret(wishes));
            steps.push(permission(wishes, "SMTP.SendAsApp", true));
            steps.push(rights(wishes));
            steps.push(smtp_auth(wishes));
        }
        SetupKind::HighVolume => {
            steps.push(secret(wishes));
            steps.push(permission(wishes, "Mail.Send", true));
            steps.push(high_volume(wishes));
        }
        _ => {
            steps.push(permission(wishes, "SMTP.Send", false));
            if wishes.shared_mailbox.is_some() {
                steps.push(shared(wishes));
            }
            steps.push(smtp_auth(wishes));
        }
    }
    let title = match wishes.kind {
        SetupKind::AppScoped => {
            "Microsoft 365: an application that Exchange lets into the named mailboxes, and no others"
        }
        SetupKind::AppPermission => "Microsoft 365: an application with the permission SMTP.SendAsApp",
        SetupKind::HighVolume => "Microsoft 365: a High Volume Email account",
        _ => "Microsoft 365: a person signs in",
    };
    SetupPlan { title: title.to_owned(), steps, config: config_file::text(wishes) }
}

pub(super) fn undo(wishes: &Checked) -> SetupPlan {
    let (name, app) = (&wishes.name, app_id(wishes));
    let mut steps = Vec::new();
    let exchange = match wishes.kind {
        SetupKind::AppScoped => format!(
            "{CONNECT}\nRemove-ManagementRoleAssignment '{name}-smtp' -Confirm:$false\nRemove-ManagementScope '{name}-mailboxes' -Confirm:$false\nRemove-ServicePrincipal '{app}' -Confirm:$false\nRemove-DistributionGroup '{name}-mailboxes' -Confirm:$false"
        ),
        SetupKind::AppPermission => {
            let mut text =
                format!("{CONNECT}\n$sp = Get-ServicePrincipal | Where-Object AppId -eq '{app}'\n");
            for mailbox in &wishes.mailboxes {
                text.push_str(&format!(
                    "Remove-RecipientPermission {mailbox} -AccessRights SendAs -Trustee $sp.Identity -Confirm:$false\nRemove-MailboxPermission -Identity {mailbox} -User $sp.Identity -AccessRights FullAccess -Confirm:$false\n"
                ));
            }
            text + &format!("Remove-ServicePrincipal '{app}' -Confirm:$false")
        }
        SetupKind::HighVolume => {
            let mut text = format!("{CONNECT}\n$Oid = '<object id of the enterprise application>'\n");
            for mailbox in &wishes.mailboxes {
                text.push_str(&format!("Remove-HVEAppAccess -Identity {mailbox} -AppIds $Oid\n"));
            }
            text + "# The account itself, if nothing else uses it: Remove-MailUser <address>"
        }
        _ => match &wishes.shared_mailbox {
            Some(shared) => format!(
                "{CONNECT}\nRemove-RecipientPermission {shared} -AccessRights SendAs -Trustee {} -Confirm:$false",
                wishes.mailboxes[0]
            ),
            None => String::new(),
        },
    };
    if !exchange.is_empty() {
        steps.push(step(
            "Take the rights in Exchange back",
            "auth",
            "There is no page for it: use the script.",
            Some(powershell(exchange)),
        ));
    }
    let turned_on: String = wishes
        .mailboxes
        .iter()
        .map(|one| format!("Set-CASMailbox {one} -SmtpClientAuthenticationDisabled $null\n"))
        .collect();
    if wishes.kind != SetupKind::HighVolume {
        steps.push(step(
            "Let the organisation's setting decide again about SMTP AUTH",
            "auth",
            "Microsoft 365 admin centre > Users > the mailbox > Mail > Manage email apps. If it was off for the mailbox before, say $true instead of $null.",
            Some(powershell(format!("{CONNECT}\n{turned_on}"))),
        ));
    }
    steps.push(step(
        "Delete the application, with its secrets and its consent",
        "token",
        format!("Entra admin centre > App registrations > {name} > Delete."),
        Some(azure(format!("{}\naz ad app delete --id '{app}'", login(wishes)))),
    ));
    SetupPlan { title: format!("Taking `{name}` back"), steps, config: String::new() }
}

pub(super) fn rotation(wishes: &Checked) -> SetupPlan {
    let (name, app, file) = (&wishes.name, app_id(wishes), &wishes.secret_file);
    let steps = vec![
        step(
            "Make a second secret; the first one stays good",
            "token",
            format!(
                "Entra admin centre > App registrations > {name} > Certificates & secrets > New client secret. Put its Value, not its Secret ID, into {file}."
            ),
            Some(azure(format!(
                "{}\naz ad app credential list --id '{app}' --query \"[].{{id:keyId,name:displayName,end:endDateTime}}\" -o table\n{}",
                login(wishes),
                new_secret(app, &format!("{name}-$(date +%Y%m%d)"), file)
            ))),
        ),
        step(
            "See that it works: programs read the file anew at their next token request",
            "token",
            "Run `mailbearer verify`. Running programs that hold a token ask again within the hour, or when their old secret is refused.",
            None,
        ),
        step(
            "Delete the old secret, by the id that the first step listed",
            "token",
            format!("Entra admin centre > App registrations > {name} > Certificates & secrets."),
            Some(azure(format!("az ad app credential delete --id '{app}' --key-id '<id>'"))),
        ),
    ];
    SetupPlan { title: format!("A new secret for `{name}`"), steps, config: String::new() }
}

fn register(wishes: &Checked) -> Instruction {
    let name = &wishes.name;
    let person = wishes.kind == SetupKind::Delegated;
    let public = match person {
        true => " --is-fallback-public-client true --public-client-redirect-uris http://localhost",
        false => "",
    };
    let portal = match person {
        true => format!(
            "Entra admin centre > App registrations > New registration: name {name}, this organisation only, redirect URI `Mobile and desktop applications` http://localhost. Then Authentication > `Allow public client flows`: Yes."
        ),
        false => format!(
            "Entra admin centre > App registrations > New registration: name {name}, this organisation only, no redirect URI."
        ),
    };
    let text = format!(
        "{login}\nAPP=$(az ad app create --display-name '{name}' --sign-in-audience AzureADMyOrg{public} --query appId -o tsv)\naz ad sp show --id \"$APP\" -o none 2>/dev/null || az ad sp create --id \"$APP\" -o none\nOID=$(az ad sp show --id \"$APP\" --query id -o tsv)\necho \"The application is $APP; in Exchange it is known by $OID.\"{finish}",
        login = login(wishes),
        finish = finish(wishes),
    );
    step("Register the application", "token", portal, Some(azure(text)))
}

/// The configuration file follows once the id is known.
fn finish(wishes: &Checked) -> String {
    let kind =
        SetupKind::NAMES.iter().find(|(.., kind)| *kind == wishes.kind).map_or("app", |(_, name, _)| name);
    let shared =
        wishes.shared_mailbox.as_ref().map_or_else(String::new, |one| format!(" --shared-mailbox {one}"));
    format!(
        "\nmailbearer setup microsoft365 --kind {kind} --tenant {} --mailboxes {}{shared} --name '{}' --client-id \"$APP\" --secret-file '{}' --write",
        wishes.tenant,
        wishes.mailboxes.join(","),
        wishes.name,
        wishes.secret_file,
    )
}

fn secret(wishes: &Checked) -> Instruction {
    let (name, file) = (&wishes.name, &wishes.secret_file);
    step(
        "Give it a secret",
        "token",
        format!(
            "App registrations > {name} > Certificates & secrets > New client secret, for a year. Put its Value, not its Secret ID, into {file}, which only the program's user may read (chmod 600). A certificate is better: upload its public half there, and name the file in auth.certificate."
        ),
        Some(azure(format!("{}\n{}", same_app(wishes), new_secret("$APP", &format!("{name}-1"), file)))),
    )
}

fn scope(wishes: &Checked) -> Instruction {
    let name = &wishes.name;
    let mailboxes = wishes.mailboxes.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "{ids}\n$sp = Get-ServicePrincipal | Where-Object AppId -eq $App\nif (!$sp) {{ $sp = New-ServicePrincipal -AppId $App -ObjectId $Oid -DisplayName '{name}' }}\n\
$group = Get-DistributionGroup '{name}-mailboxes' -ErrorAction SilentlyContinue\nif (!$group) {{ $group = New-DistributionGroup -Name '{name}-mailboxes' -Type Distribution }}\n\
foreach ($mailbox in {mailboxes}) {{\n  $there = Get-DistributionGroupMember '{name}-mailboxes' -ResultSize Unlimited | Where-Object PrimarySmtpAddress -eq $mailbox\n  if (!$there) {{ Add-DistributionGroupMember '{name}-mailboxes' -Member $mailbox }}\n}}\n\
if (!(Get-ManagementScope '{name}-mailboxes' -ErrorAction SilentlyContinue)) {{\n  $dn = $group.DistinguishedName -replace \"'\", \"''\"\n  New-ManagementScope -Name '{name}-mailboxes' -RecipientRestrictionFilter \"MemberOfGroup -eq '$dn'\"\n}}\n\
if (!(Get-ManagementRoleAssignment '{name}-smtp' -ErrorAction SilentlyContinue)) {{\n  New-ManagementRoleAssignment -Name '{name}-smtp' -Role 'Application SMTP.SendAsApp' -App $sp.ObjectId -CustomResourceScope '{name}-mailboxes'\n}}\n\
foreach ($mailbox in {mailboxes}) {{ Test-ServicePrincipalAuthorization -Identity $App -Resource $mailbox | Format-Table }}",
        ids = ids(wishes),
    );
    step(
        "Let it into the mailboxes, and no others, in Exchange",
        "auth",
        format!(
            "There is no page for it: use the script, as an Exchange administrator. It makes the group {name}-mailboxes, a scope of its members, and gives the application the role Application SMTP.SendAsApp there. Do not add the Entra permission SMTP.SendAsApp besides: it would let the application into every mailbox that grants it rights. What is changed takes from 30 minutes to 2 hours; `mailbearer verify --wait 2h` watches."
        ),
        Some(powershell(text)),
    )
}

fn permission(wishes: &Checked, which: &str, application: bool) -> Instruction {
    let name = &wishes.name;
    let (list, kind) = if application { ("appRoles", "Role") } else { ("oauth2PermissionScopes", "Scope") };
    let sort = if application { "Application" } else { "Delegated" };
    let scope = if application {
        "https%3A%2F%2Foutlook.office365.com%2F.default".to_owned()
    } else {
        format!("https%3A%2F%2Foutlook.office.com%2F{which}")
    };
    let consent = format!(
        "https://login.microsoftonline.com/{}/v2.0/adminconsent?client_id={}&scope={scope}&redirect_uri=http%3A%2F%2Flocalhost",
        wishes.tenant,
        app_id(wishes),
    );
    let portal = format!(
        "App registrations > {name} > API permissions > Add a permission > APIs my organization uses > Office 365 Exchange Online > {sort} permissions > {which}; then `Grant admin consent`. Or open {consent} (it ends at http://localhost, which need not answer)."
    );
    let grant = match application {
        true => "az ad app permission admin-consent --id \"$APP\"",
        false => "az ad app permission grant --id \"$APP\" --api $EXO --scope SMTP.Send -o none",
    };
    let text = format!(
        "{app}\nEXO=00000002-0000-0ff1-ce00-000000000000\nID=$(az ad sp show --id $EXO --query \"{list}[?value=='{which}'].id | [0]\" -o tsv)\ntest -n \"$ID\" || {{ echo 'Exchange Online has no {which} here' >&2; exit 1; }}\naz ad app show --id \"$APP\" --query \"requiredResourceAccess[].resourceAccess[].id\" -o tsv | grep -q \"$ID\" ||\n  az ad app permission add --id \"$APP\" --api $EXO --api-permissions \"$ID={kind}\"\n{grant}",
        app = same_app(wishes),
    );
    step(
        &format!("Give it the permission {which} of Exchange Online, and consent"),
        "claims",
        portal,
        Some(azure(text)),
    )
}

fn rights(wishes: &Checked) -> Instruction {
    let name = &wishes.name;
    let mut text = format!(
        "{}\n$sp = Get-ServicePrincipal | Where-Object AppId -eq $App\nif (!$sp) {{ $sp = New-ServicePrincipal -AppId $App -ObjectId $Oid -DisplayName '{name}' }}\n",
        ids(wishes)
    );
    for mailbox in &wishes.mailboxes {
        text.push_str(&format!(
            "Add-MailboxPermission -Identity {mailbox} -User $sp.Identity -AccessRights FullAccess -AutoMapping $false\nAdd-RecipientPermission {mailbox} -AccessRights SendAs -Trustee $sp.Identity -Confirm:$false\n"
        ));
    }
    step(
        "Make it known to Exchange, and give it rights on each mailbox",
        "auth",
        "There is no page for the first half: use the script. The object id is the enterprise application's (Enterprise applications > Overview), not the registration's. It takes up to an hour.",
        Some(powershell(text)),
    )
}

fn high_volume(wishes: &Checked) -> Instruction {
    let mut text = format!(
        "{}\nGet-BillingPolicy -ResourceType HVE\n$policy = Read-Host 'The id of the billing policy'\n",
        ids(wishes)
    );
    for mailbox in &wishes.mailboxes {
        let local = mailbox.split('@').next().unwrap_or_default();
        text.push_str(&format!(
            "if (!(Get-MailUser {mailbox} -ErrorAction SilentlyContinue)) {{\n  New-MailUser -HVEAccount -Name '{local}' -PrimarySmtpAddress {mailbox} -Password (Read-Host 'A long password' -AsSecureString)\n}}\nSet-HVEAccountBillingPolicy -Identity {mailbox} -BillingPolicyId $policy\nif ((Get-HVEAccountSettings {mailbox}).AllowedApps -notcontains $Oid) {{ Add-HVEAppAccess -Identity {mailbox} -AppIds $Oid }}\n"
        ));
    }
    step(
        "Make the account, bill it, and let the application in",
        "auth",
        "Exchange admin centre > Mail flow > High Volume Email. `-AppIds` takes the enterprise application's object id, whatever its name says.",
        Some(powershell(text)),
    )
}

fn shared(wishes: &Checked) -> Instruction {
    let (person, shared) = (&wishes.mailboxes[0], wishes.shared_mailbox.as_deref().unwrap_or_default());
    step(
        "Let the person send as the shared mailbox",
        "auth",
        format!(
            "Exchange admin centre > Recipients > Mailboxes > {shared} > Delegation > Send as > {person}. Only a real message shows whether it works: `mailbearer verify --send-to <address>`."
        ),
        Some(powershell(format!(
            "{CONNECT}\nAdd-RecipientPermission {shared} -AccessRights SendAs -Trustee {person} -Confirm:$false\nGet-RecipientPermission {shared} -Trustee {person}"
        ))),
    )
}

fn smtp_auth(wishes: &Checked) -> Instruction {
    let lines: String = wishes
        .mailboxes
        .iter()
        .map(|one| format!("Get-CASMailbox {one} | Format-List SmtpClientAuthenticationDisabled\nSet-CASMailbox {one} -SmtpClientAuthenticationDisabled $false\n"))
        .collect();
    step(
        "Allow SMTP AUTH for the mailbox; it is off for new organisations, for tokens too",
        "auth",
        "Microsoft 365 admin centre > Users > the mailbox > Mail > Manage email apps > Authenticated SMTP. Leave the organisation's own setting as it is.",
        Some(powershell(format!("{CONNECT}\n{lines}"))),
    )
}

fn login(wishes: &Checked) -> String {
    format!("az login --tenant '{}' --allow-no-subscriptions -o none", wishes.tenant)
}

/// One secret more, into this file; what fails leaves the one that is there.
fn new_secret(app: &str, name: &str, file: &str) -> String {
    format!(
        "(umask 077; az ad app credential reset --id \"{app}\" --append --years 1 --display-name \"{name}\" --query password -o tsv > '{file}.new') &&\n  test -s '{file}.new' && mv '{file}.new' '{file}'"
    )
}

/// The application of the first step, also in a shell of another day.
fn same_app(wishes: &Checked) -> String {
    match &wishes.client_id {
        Some(id) => format!("APP='{id}'"),
        None => ": \"${APP:?run the first step in this shell, or give --client-id}\"".to_owned(),
    }
}

fn ids(wishes: &Checked) -> String {
    format!(
        "{CONNECT}\n$App = '{}'\n$Oid = '<object id of the enterprise application, as the first step said>'",
        app_id(wishes)
    )
}

fn app_id(wishes: &Checked) -> &str {
    wishes.client_id.as_deref().unwrap_or("<application id>")
}

fn azure(text: String) -> Script {
    Script { language: "sh", needs: "Azure CLI", text }
}

fn powershell(text: String) -> Script {
    Script { language: "powershell", needs: "Exchange Online PowerShell", text }
}

const CONNECT: &str = "Connect-ExchangeOnline -ShowBanner:$false";
