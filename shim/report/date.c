#include "date.h"

static void two_digits(struct line *line, unsigned int number)
{
    line_text(line, number < 10 ? "0" : "");
    line_number(line, number);
}

struct date {
    unsigned int year, month, day; /* the month and the day count from 1 */
    unsigned int second;           /* of the day */
    unsigned int millisecond;
};

/* The Gregorian calendar, with years that begin in March so that the leap day is the last one. */
static struct date date(int64_t milliseconds)
{
    enum { DAYS_TO_1970 = 719468, DAYS_OF_400_YEARS = 146097 };
    const uint64_t seconds = (uint64_t)milliseconds / 1000;
    const unsigned int day = (unsigned int)(seconds / 86400) + DAYS_TO_1970; /* since 1 March 0 */
    const unsigned int of_era = day % DAYS_OF_400_YEARS;
    const unsigned int year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / (DAYS_OF_400_YEARS - 1)) / 365;
    const unsigned int of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned int from_march = (5 * of_year + 2) / 153;
    const unsigned int month = from_march < 10 ? from_march + 3 : from_march - 9;
    return (struct date){
        .year = year + day / DAYS_OF_400_YEARS * 400 + (month <= 2),
        .month = month,
        .day = of_year - (153 * from_march + 2) / 5 + 1,
        .second = (unsigned int)(seconds % 86400),
        .millisecond = (unsigned int)((uint64_t)milliseconds % 1000),
    };
}

static void write_clock(struct line *line, unsigned int second)
{
    two_digits(line, second / 3600);
    line_text(line, ":");
    two_digits(line, second / 60 % 60);
    line_text(line, ":");
    two_digits(line, second % 60);
}

void date_write(struct line *line, int64_t milliseconds)
{
    const struct date now = date(milliseconds);
    line_number(line, now.year);
    line_text(line, "-");
    two_digits(line, now.month);
    line_text(line, "-");
    two_digits(line, now.day);
    line_text(line, "T");
    write_clock(line, now.second);
    line_text(line, now.millisecond < 100 ? ".0" : ".");
    two_digits(line, now.millisecond);
    line_text(line, "Z");
}

void date_write_syslog_header(struct line *line, enum level level, int64_t milliseconds)
{
    enum { FACILITY_DAEMON = 3 };
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const struct date now = date(milliseconds);
    line_text(line, "<");
    line_number(line, FACILITY_DAEMON * 8 + LEVEL_ERR_PRIORITY + (unsigned int)level);
    line_text(line, ">");
    line_text(line, months[now.month - 1]);
    line_text(line, now.day < 10 ? "  " : " ");
    line_number(line, now.day);
    line_text(line, " ");
    write_clock(line, now.second);
    line_text(line, " ");
}
