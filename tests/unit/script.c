#include "sockets/script.h"
#include "lookup/owner.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(script);

/* What is found in arguments, which are written with a blank for the NUL behind each. */
static const char *found(const char *arguments)
{
    static char script[SCRIPT_SIZE];
    char text[512];
    size_t length = strlen(arguments);
    cr_assert_lt(length, sizeof text);
    memcpy(text, arguments, length + 1);
    for (size_t i = 0; i < length; i++) {
        text[i] = text[i] == ' ' ? '\0' : text[i];
    }
    memset(script, 'x', sizeof script);
    script_find(script, sizeof script, text, length + 1);
    return script;
}

#define EXPECT(arguments, script) cr_assert_str_eq(found(arguments), script, "%s", found(arguments))

Test(script, is_what_an_interpreter_runs)
{
    EXPECT("python3 server.py 9999", "server.py");
    EXPECT("/usr/bin/python3.11 -u -W ignore -X dev /srv/app/manage.py runserver",
           "/srv/app/manage.py");
    EXPECT("python3 -m http.server 9999", "http.server");
    EXPECT("perl -T -I lib /usr/sbin/munin-node", "/usr/sbin/munin-node");
    EXPECT("node --max-old-space-size=99 -r dotenv /srv/a.js", "/srv/a.js");
    EXPECT("/usr/lib/jvm/java-17/bin/java -Xmx1g -cp a:b -Dx=y org.example.Main 1",
           "org.example.Main");
    EXPECT("java -jar /opt/jenkins.war", "/opt/jenkins.war");
    EXPECT("java -p mods -m app/org.example.Main", "app/org.example.Main");
    EXPECT("php -d x=1 -S 0.0.0.0:80 -t pub router.php", "router.php");
    EXPECT("-bash", "");
    EXPECT("/bin/sh /etc/init.d/x start", "/etc/init.d/x");
    EXPECT("bash -euo pipefail /srv/run.sh", "/srv/run.sh");
    EXPECT("node --env-file .env x.js", "x.js");
    EXPECT("ruby3.1 -C /srv bin/rails server", "bin/rails");
}

Test(script, is_none_of_other_programs)
{
    EXPECT("nginx -g x", "");
    EXPECT("node_exporter --x y", "");
    EXPECT("shutdown now", "");
    EXPECT("php-fpm:_pool_www", "");
    EXPECT("", "");
}

Test(script, is_not_a_program_on_the_command_line)
{
    EXPECT("python3 -c import_x y", "");
    EXPECT("bash -c sleep 1", "");
    EXPECT("bash -lc PASSWORD=x", "");
    EXPECT("sh -ec PASSWORD=x", "");
    EXPECT("perl -we PASSWORD=x", "");
    EXPECT("python3 -uc PASSWORD=x", "");
    EXPECT("node --eval=PASSWORD", "");
    EXPECT("node -pe PASSWORD", "");
    EXPECT("perl -e 1 file", "");
    EXPECT("python3", "");
    EXPECT("python3 -u", "");
    EXPECT("python3 -W", "");
    EXPECT("python3 -u - 9999", "");
    EXPECT("php -S 0.0.0.0:80", "");
}

Test(script, that_is_too_long_keeps_its_end)
{
    char longest[SCRIPT_SIZE];
    memset(longest, 'a', sizeof longest);
    longest[SCRIPT_SIZE - 1] = '\0';
    char arguments[SCRIPT_SIZE + 16] = "python3 ";
    strcat(arguments, longest);
    EXPECT(arguments, longest);
    strcat(arguments, "b");
    memcpy(longest, "...", 3);
    longest[SCRIPT_SIZE - 2] = 'b';
    EXPECT(arguments, longest);
}

/* The list of arguments may end anywhere: only its beginning is read. */
Test(script, may_be_cut_off)
{
    static const char arguments[] = "python3\0-u\0server.py";
    char script[SCRIPT_SIZE];
    for (size_t length = 0; length < sizeof arguments; length++) {
        char *exact = malloc(length + 1);
        memcpy(exact, arguments, length);
        script_find(script, sizeof script, exact, length);
        free(exact);
    }
    script_find(script, sizeof script, arguments, sizeof "python3\0-u\0serv" - 1);
    cr_assert_str_eq(script, "serv");
}
