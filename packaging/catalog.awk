# Makes the journal's catalogue (journalctl -x) of docs/messages.md: one entry for each event, with
# the subject that stands in asterisks below the MESSAGE_ID, and the section's text. What a section
# says of single causes, under headings of their own, is left out: the line has the one that matters.
function flush_entry() {
    if (id != "") {
        sub(/\n+$/, "", body)
        sub(/^\n+/, "", body)
        printf "-- %s\nSubject: %s\nDefined-By: libreuse\n\n%s\n\n", id, subject, body
    }
    id = subject = body = ""
    is_part = 0
}
/^## / { flush_entry(); next }
/^`MESSAGE_ID [0-9a-f]+`$/ { gsub(/[`]|MESSAGE_ID /, ""); id = $0; next }
/^### / { is_part = 1 }
id == "" || is_part { next }
subject == "" && /^\*.*\*$/ { subject = substr($0, 2, length($0) - 2); next }
{
    gsub(/`/, "")
    if ($0 != "" || body !~ /\n\n$/) body = body $0 "\n"
}
END { flush_entry() }
